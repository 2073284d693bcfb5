// What the products of decode_layers have in common: where x comes from and where results go. Tiles of sixteen weight rows
// come through the ring (decode_layers_weights.cuh); eight warps multiply them on tensor cores (weights are the 16-high
// side, the batch is the 8-wide side, kTiles times), each its 256 bytes of every segment, then add up and finish the tiles:
// scale, norm, rotation, gate, residual.
//
// With k permuted alike for both operands a lane's share of a fragment is sixteen contiguous bytes (see mma.cuh).
// A norm before the product costs next to nothing: Σ w·(x·r·n) = r · Σ w·(x·n), and the sum of squares that r is made of
// is gathered from the same x.

#pragma once

#include <type_traits>

#include "device/block_part.cuh"
#include "device/projection.cuh"
#include "device/reduce.cuh"
#include "device/vector_arithmetic.cuh"
#include "kernels/decode_layers_weights.cuh"

namespace limen {

// Eight channels of what attention has found, from three times sixteen bytes of each of kSplits blocks: two of sums, then
// maximum and total.
template <int kSplits, typename T>
__device__ __forceinline__ uint4 merge_splits(const uint4* raw) {
  float highest = -INFINITY, total = 0.0f, values[8] = {};
#pragma unroll
  for (int split = 0; split < kSplits; ++split) highest = fmaxf(highest, __uint_as_float(raw[3 * split + 2].x));
#pragma unroll
  for (int split = 0; split < kSplits; ++split) {
    const float share = __uint_as_float(raw[3 * split + 2].y);
    const float factor = share > 0.0f ? exp2f(__uint_as_float(raw[3 * split + 2].x) - highest) : 0.0f;
    float parts[2][4];
    unpack16<float>(raw[3 * split], parts[0]);
    unpack16<float>(raw[3 * split + 1], parts[1]);
    total = fmaf(share, factor, total);
#pragma unroll
    for (int i = 0; i < 8; ++i) values[i] = fmaf(parts[i / 4][i % 4], factor, values[i]);
  }
  const float inverse = total > 0.0f ? 1.0f / total : 0.0f;
#pragma unroll
  for (int i = 0; i < 8; ++i) values[i] *= inverse;
  return pack16<T>(values);
}

template <Phase kPhase, int kTiles, int kHeadSize, typename W, typename T>
struct Product {
  static constexpr bool kNarrow = std::is_same_v<W, int8_t>;
  static constexpr int kParts = sizeof(T) / sizeof(W);  // 16-byte loads of x that match sixteen bytes of weights
  static constexpr int kFragments = kWarpBytes / 64 * kParts;  // 16-byte loads of x for one row and segment
  static constexpr int kSegmentValues = kSegmentBytes / sizeof(W);
  static constexpr bool kAddsResidual = kPhase == Phase::kOutput || kPhase == Phase::kDown;

  const DecodeLayersArguments<T>& a;
  LayersShared<kTiles, kHeadSize>& shared;
  const int layer;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  const PhaseShape shape = shape_of_phase<kPhase, kHeadSize, W>(a);
  const int width = a.heads * kHeadSize;
  const T* const source = x_of_phase();

  __device__ const T* x_of_phase() const {
    if constexpr (kPhase == Phase::kQueryKeyValue) return layer == 0 ? a.x : a.hidden(layer - 1, width);
    if constexpr (kPhase == Phase::kOutput) return a.attended(layer, width);
    if constexpr (kPhase == Phase::kGateUp) return a.middle(layer, width);
    return a.active(layer, width);
  }
  // x of the first layer is the caller's: it may hold anything.
  __device__ bool is_awaited() const { return kPhase != Phase::kQueryKeyValue || layer > 0; }
  __device__ int channel(int segment, int fragment) const {
    constexpr int kWidth = static_cast<int>(sizeof(W));
    return segment * kSegmentValues + (warp * kWarpBytes + fragment / kParts * 64 + t * 16) / kWidth +
           fragment % kParts * 8;
  }
  // Eight channels of row 8·tile + g, perhaps still missing; zeros outside.
  __device__ uint4 load(int tile, int segment, int fragment) const {
    const int k = channel(segment, fragment), row = tile * 8 + g;
    if (k >= shape.length || row >= a.batch) return make_uint4(0, 0, 0, 0);
    return load_shared_by_blocks(source + int64_t{row} * shape.length + k);
  }
  __device__ const void* place_of(int tile, int segment, int fragment) const {
    return source + int64_t{tile * 8 + g} * shape.length + channel(segment, fragment);
  }

  // Seen by all after the barrier of the first tiles.
  template <int kCount>
  __device__ void share_squares(const float (&squares)[kCount]) const {
#pragma unroll
    for (int tile = 0; tile < kCount; ++tile) {
      const float square = warp_sum<4>(squares[tile]);
      if (t == 0) shared.squares[warp][tile * 8 + g] = square;
    }
  }

  // Of two weight rows that belong together.
  __device__ float2 read_scales(const TileRows& rows) const {
    const float* const of_phase = kPhase == Phase::kQueryKeyValue ? a.query_key_value_scales
                                  : kPhase == Phase::kOutput      ? a.output_scales
                                  : kPhase == Phase::kGateUp      ? a.gate_up_scales
                                                                  : a.down_scales;
    const float* const place = of_phase + int64_t{layer} * shape.rows + rows.base + threadIdx.x % 8;
    return make_float2(place[0], place[rows.distance]);
  }

  // What is added to weight rows i and i + 8 of a tile, i = thread % 8, for a row of x: two values in a word. This block has
  // stored them itself, in the phase before the last but one.
  __device__ uint32_t read_residual(int tile, int row) const {
    const T* const from = kPhase == Phase::kDown ? a.middle(layer, width) : layer == 0 ? a.x : a.hidden(layer - 1, width);
    const auto* const place =
        reinterpret_cast<const unsigned short*>(from) + int64_t{row} * a.hidden_size + tile * 16 + threadIdx.x % 8;
    return __ldcg(place) | static_cast<uint32_t>(__ldcg(place + 8)) << 16;
  }

  // Eight neighbouring lanes store eight values; `counts` is the same for them.
  static __device__ void store_together(T* target, bool counts, float value) {
    const float next = __shfl_down_sync(kFullWarp, value, 1);
    const uint32_t pair = pack2<T>(value, next);
    uint4 words = make_uint4(pair, 0, 0, 0);
    words.y = __shfl_down_sync(kFullWarp, pair, 2);
    words.z = __shfl_down_sync(kFullWarp, pair, 4);
    words.w = __shfl_down_sync(kFullWarp, pair, 6);
    if (counts && threadIdx.x % 8 == 0) store_shared_by_blocks(target, words);
  }

  // By eight neighbouring lanes, lane i with the sums of weight rows i (`upper`) and i + 8 for a row of x.
  __device__ void store(const TileRows& rows, bool counts, int row, float upper, float lower, uint32_t residual) const {
    if constexpr (kPhase == Phase::kQueryKeyValue) {
      store_vectors(rows, counts, row, threadIdx.x % 8, round_to<T>(upper), round_to<T>(lower));
    } else if constexpr (kPhase == Phase::kGateUp) {
      store_together(a.active(layer, width) + int64_t{row} * a.feed_forward + rows.base, counts, silu<T>(upper) * lower);
    } else {
      T* const target = (kPhase == Phase::kOutput       ? a.middle(layer, width)
                         : layer + 1 == a.layers ? a.y
                                                 : a.hidden(layer, width)) +
                        int64_t{row} * a.hidden_size + rows.base;
      const float2 added = unpack2<T>(residual);
      store_together(target, counts, upper + added.x);
      store_together(target + 8, counts, lower + added.y);
    }
  }

  // Two channels of a query, a key or a value; those of queries and keys are turned by the row's position.
  __device__ void store_vectors(const TileRows& rows, bool counts, int row, int i, float first, float second) const {
    const int kind = rows.base / width, within = rows.base % width;
    const int head = within / kHeadSize, d = within % kHeadSize;
    if (kind < 2) {
      const float2 turn = unpack2<T>(shared.turns[row][d + i]);
      const float low = first;
      first = low * turn.x - second * turn.y;
      second = second * turn.x + low * turn.y;
    }
    T* const target = a.vectors(layer) + int64_t{row} * shape.rows + rows.base;
    store_together(target, counts, first);
    store_together(target + rows.distance, counts, second);
    const int64_t slot = shared.slots[row];
    if (kind == 0 || !counts || slot < 0) return;
    // For the steps to come.
    T* const cached = (kind == 1 ? a.keys : a.values) + layer * a.page_layer + slot + head * a.head + d + i;
    cached[0] = from_float<T>(first);
    cached[rows.distance] = from_float<T>(second);
  }
};

}  // namespace limen
