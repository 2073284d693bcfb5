// The products of decode_layers: tiles of sixteen weight rows come through the ring (decode_layers_weights.cuh); eight
// warps multiply them on tensor cores (weights are the 16-high side, the batch is the 8-wide side, kTiles times), each its
// 256 bytes of every segment, then add up and finish the tiles: scale, norm, rotation, gate, residual.
//
// With k permuted alike for both operands a lane's share of a fragment is sixteen contiguous bytes (see mma.cuh). Rows
// stand in shared memory as they came: eight lanes at a time read two of them, which meet each bank twice. Padding or
// swizzling against that slows the copies down more than it speeds up the reads.
// Weights of eight bits become f16, which takes half the instructions that bf16 would. x then is f16 too, a sixteenth of
// what it was: that keeps every bit of a bf16 between 1e-3 and 1e6, and what is smaller to 1e-6.
// A norm before the product costs next to nothing: Σ w·(x·r·n) = r · Σ w·(x·n), and the sum of squares that r is made of
// is gathered from the same x.

#pragma once

#include <type_traits>

#include "device/block_part.cuh"
#include "device/int8.cuh"
#include "device/mma.cuh"
#include "device/projection.cuh"
#include "device/reduce.cuh"
#include "device/vector_arithmetic.cuh"
#include "kernels/decode_layers_weights.cuh"

namespace limen {

inline constexpr float kShrink = 1.0f / 16;

template <typename T>
__device__ __forceinline__ uint4 shrink_to_half(const uint4& x) {
  float values[8];
  unpack16<T>(x, values);
#pragma unroll
  for (int i = 0; i < 8; ++i) values[i] *= kShrink;
  return pack16<__half>(values);
}

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

// The users' part of a product.
template <Phase kPhase, int kTiles, int kHeadSize, typename W, typename T>
struct Product {
  static constexpr bool kNarrow = std::is_same_v<W, int8_t>;
  using Operand = std::conditional_t<kNarrow, __half, T>;        // what tensor cores multiply
  static constexpr int kParts = sizeof(T) / sizeof(W);           // 16-byte loads of x that match sixteen bytes of weights
  static constexpr int kChunks = kWarpBytes / 64;
  static constexpr int kFragments = kChunks * kParts;            // 16-byte loads of x for one row and segment
  static constexpr int kSegmentValues = kSegmentBytes / sizeof(W);
  static constexpr int kHeldSegments = kHeldValues / kSegmentValues;
  static constexpr int kHeld = kHeldSegments * kFragments;
  static constexpr int kRows = 8 * kTiles;
  static constexpr int kTogether = kSideBySide<kTiles>;
  using Shared = LayersShared<kTiles, kHeadSize>;

  const DecodeLayersArguments<T>& a;
  Shared& shared;
  const int layer;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  const PhaseShape shape = shape_of_phase<kPhase, kHeadSize, W>(a);
  float factor = 0.0f;  // of the norm, for the row that this thread finishes

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

  // Works on the next stage; x_of(fragment, tile) gives the fragments of x that match it.
  template <typename XOf>
  __device__ void multiply_stage(Ring& ring, int segment, float (&sum)[kTiles][4], XOf&& x_of) const {
    const Ring second = ring.next();
    const int mine = g * kSegmentBytes + warp * kWarpBytes + t * 16;
    const char *const upper_rows = ring.stage() + mine, *const lower_rows = second.stage() + mine;
    ring.wait_until_full();
    second.wait_until_full();
    // Whole blocks lie inside a row or behind it.
    const int blocks = (shape.length - channel(segment, 0) + t * 16 / static_cast<int>(sizeof(W))) *
                       static_cast<int>(sizeof(W)) / kBlockBytes;
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk) {
      const int block = chunk / 2;
      if (block >= blocks) break;
      const uint4 upper = load16_raw(upper_rows + chunk * 64), lower = load16_raw(lower_rows + chunk * 64);
      const uint32_t up[4] = {upper.x, upper.y, upper.z, upper.w}, low[4] = {lower.x, lower.y, lower.z, lower.w};
#pragma unroll
      for (int part = 0; part < kParts; ++part) {
        uint32_t first[4], second[4];  // eight weights of each row
        unpack_weights<Operand, W>(up, part, first);
        unpack_weights<Operand, W>(low, part, second);
#pragma unroll
        for (int tile = 0; tile < kTiles; ++tile) {
          const uint4 v = x_of(chunk * kParts + part, tile);
          mma_16x8x16<Operand>(sum[tile], first[0], second[0], first[1], second[1], v.x, v.y);
          mma_16x8x16<Operand>(sum[tile], first[2], second[2], first[3], second[3], v.z, v.w);
        }
      }
    }
    ring.leave<2>();
  }

  __device__ void run(Ring& ring) {
    if constexpr (kHolds<kPhase, kTiles>) {
      run_held(ring);
    } else {
      run_streaming(ring);
    }
  }

  __device__ void run_held(Ring& ring) {
    uint4 held[kHeld];
    if (kPhase == Phase::kOutput && a.splits == 4) {
      hold_merged<4>(held);
    } else if (kPhase == Phase::kOutput && a.splits == 2) {
      hold_merged<2>(held);
    } else {
#pragma unroll
      for (int i = 0; i < kHeld; ++i) held[i] = load(0, i / kFragments, i % kFragments);
      if (is_awaited()) await_all(held, [&](int i) { return place_of(0, i / kFragments, i % kFragments); });
    }
    if constexpr (kNormed<kPhase>) {
      float squares[1] = {};
      ring.wait_until_full();
      const T* const norm = reinterpret_cast<const T*>(ring.stage());
#pragma unroll
      for (int i = 0; i < kHeld; ++i) {
        const int k = channel(i / kFragments, i % kFragments);
        squares[0] = sum_of_squares<T>(held[i], squares[0]);
        if (k < shape.length) held[i] = multiply_pairs<T>(held[i], load16_raw(norm + k));
      }
      ring.leave();
      share_squares(squares);
    }
    if constexpr (kNarrow) {
#pragma unroll
      for (int i = 0; i < kHeld; ++i) held[i] = shrink_to_half<T>(held[i]);
    }
    const int grid = gridDim.x;
    for (int first = blockIdx.x; first < shape.tiles; first += kTogether * grid) {
      float sum[kTogether][kTiles][4] = {};
      const int members = members_of<kTiles>(first, shape.tiles);
      const float2 residual = load_residual(first, members);
#pragma unroll
      for (int member = 0; member < kTogether; ++member) {
        if (member >= members) break;
#pragma unroll
        for (int segment = 0; segment < kHeldSegments; ++segment) {
          if (segment >= shape.segments) break;
          multiply_stage(ring, segment, sum[member], [&](int i, int) { return held[segment * kFragments + i]; });
        }
      }
      finish(first, members, sum, residual);
    }
  }

  // One or two rows have been attended to by four blocks for a head. Merging is much to load, so it is spread over all
  // lanes: lane (g, t) merges every eighth fragment of lane (row, t), for each row. All is asked for at once.
  template <int kSplits>
  __device__ void hold_merged(uint4 (&held)[kHeld]) const {
    constexpr int kOfMerge = 3 * kSplits, kOfRow = kHeld / 8 * kOfMerge, kRowsSplit = kSplitUnits / kSplits;
    uint4 raw[kRowsSplit * kOfRow];
    const auto channel_of = [&](int i) {
      const int fragment = i % kOfRow / kOfMerge * 8 + g;
      return channel(fragment / kFragments, fragment % kFragments);
    };
    const auto source = [&](int i) -> const void* {
      const int64_t place = i / kOfRow * kSplits + i % kOfMerge / 3;
      if (i % 3 == 2) return a.shares(layer, width) + (place * a.heads + channel_of(i) / kHeadSize) * 4;
      return a.sums(layer, width) + place * width + channel_of(i) + i % 3 * 4;
    };
#pragma unroll
    for (int i = 0; i < kRowsSplit * kOfRow; ++i) {
      raw[i] = channel_of(i) < shape.length ? load_shared_by_blocks(source(i)) : make_uint4(0, 0, 0, 0);
    }
    await_all(raw, source);
#pragma unroll
    for (int i = 0; i < kHeld; ++i) held[i] = make_uint4(0, 0, 0, 0);
#pragma unroll
    for (int row = 0; row < kRowsSplit; ++row) {
#pragma unroll
      for (int eighth = 0; eighth < kHeld; eighth += 8) {
        const uint4 merged = merge_splits<kSplits, T>(raw + row * kOfRow + eighth / 8 * kOfMerge);
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          uint4 words;
          words.x = __shfl_sync(kFullWarp, merged.x, i * 4 + t);
          words.y = __shfl_sync(kFullWarp, merged.y, i * 4 + t);
          words.z = __shfl_sync(kFullWarp, merged.z, i * 4 + t);
          words.w = __shfl_sync(kFullWarp, merged.w, i * 4 + t);
          if (g == row) held[eighth + i] = words;
        }
      }
    }
  }

  __device__ void run_streaming(Ring& ring) {
    // Two segments of x on the way where registers allow.
    constexpr int kAhead = kTiles * kParts <= 2 ? 2 : 1;
    uint4 ahead[kAhead][kFragments * kTiles];
    float squares[kTiles] = {};
    const auto fetch = [&](int segment, uint4(&into)[kFragments * kTiles]) {
      if (segment >= shape.segments) return;
#pragma unroll
      for (int i = 0; i < kFragments * kTiles; ++i) into[i] = load(i % kTiles, segment, i / kTiles);
    };
    const auto prepare = [&](int segment, bool is_first, uint4(&x)[kFragments * kTiles]) {
      // What has been there once is there for the next tiles too.
      if (is_first && is_awaited()) {
        await_all(x, [&](int i) { return place_of(i % kTiles, segment, i / kTiles); });
      }
      if constexpr (kNormed<kPhase>) {
#pragma unroll
        for (int i = 0; i < kFragments; ++i) {
          const int k = channel(segment, i);
          if (k >= shape.length) break;
          const uint4 norm = load16_raw(norm_of_phase<kPhase>(a, layer) + k);
#pragma unroll
          for (int tile = 0; tile < kTiles; ++tile) {
            if (is_first) squares[tile] = sum_of_squares<T>(x[i * kTiles + tile], squares[tile]);
            x[i * kTiles + tile] = multiply_pairs<T>(x[i * kTiles + tile], norm);
          }
        }
      }
      if constexpr (kNarrow) {
#pragma unroll
        for (int i = 0; i < kFragments * kTiles; ++i) x[i] = shrink_to_half<T>(x[i]);
      }
    };
    const int grid = gridDim.x;
    for (int first = blockIdx.x; first < shape.tiles; first += kTogether * grid) {
      float sum[kTogether][kTiles][4] = {};
      const int members = members_of<kTiles>(first, shape.tiles);
      const float2 residual = load_residual(first, members);
#pragma unroll
      for (int i = 0; i < kAhead; ++i) fetch(i, ahead[i]);
      for (int segment = 0; segment < shape.segments; segment += kAhead) {
#pragma unroll
        for (int i = 0; i < kAhead; ++i) {
          if (segment + i >= shape.segments) break;
          prepare(segment + i, first == static_cast<int>(blockIdx.x), ahead[i]);
          const auto x_of = [&](int fragment, int tile) { return ahead[i][fragment * kTiles + tile]; };
#pragma unroll
          for (int member = 0; member < kTogether; ++member) {
            if (member < members) multiply_stage(ring, segment + i, sum[member], x_of);
          }
          fetch(segment + i + kAhead, ahead[i]);
        }
      }
      if constexpr (kNormed<kPhase>) {
        if (first == static_cast<int>(blockIdx.x)) share_squares(squares);
      }
      finish(first, members, sum, residual);
    }
  }

  // Seen by all after the barrier of the first tiles.
  template <int kCount>
  __device__ void share_squares(const float (&squares)[kCount]) {
#pragma unroll
    for (int tile = 0; tile < kCount; ++tile) {
      const float square = warp_sum<4>(squares[tile]);
      if (t == 0) shared.squares[warp][tile * 8 + g] = square;
    }
  }

  // A thread finishes weight rows i and i + 8 of a tile for one row of x: threads 8·row + i of each tile that is finished
  // together with others, the second tile by the next 8·kRows threads.
  static constexpr int kFinishers = 8 * kRows;
  __device__ int finished_member() const { return threadIdx.x / kFinishers; }
  __device__ int finished_row() const { return threadIdx.x % kFinishers / 8; }
  __device__ bool finishes(int members) const { return finished_member() < members && finished_row() < a.batch; }

  // What is to be added in the end, asked for before the product. With one tile at a time only the first is early.
  __device__ float2 load_residual(int first, int members) const {
    if constexpr (kPhase == Phase::kOutput || kPhase == Phase::kDown) {
      if (finishes(min(members, Shared::kFinishedTogether))) return read_residual(first + finished_member() * gridDim.x);
    }
    return make_float2(0.0f, 0.0f);
  }
  __device__ float2 read_residual(int tile) const {
    if constexpr (kPhase != Phase::kOutput && kPhase != Phase::kDown) return make_float2(0.0f, 0.0f);
    const T* const from = kPhase == Phase::kDown ? a.middle(layer, width) : layer == 0 ? a.x : a.hidden(layer - 1, width);
    // This block has stored it itself, in the phase before the last but one.
    const auto* const place = reinterpret_cast<const unsigned short*>(from) + int64_t{finished_row()} * a.hidden_size +
                              tile * 16 + threadIdx.x % 8;
    const unsigned short raw[2] = {__ldcg(place), __ldcg(place + 8)};
    return make_float2(to_float(*reinterpret_cast<const T*>(&raw[0])), to_float(*reinterpret_cast<const T*>(&raw[1])));
  }

  __device__ void finish(int first, int members, const float (&sum)[kTogether][kTiles][4], float2 residual) {
    if constexpr (Shared::kFinishedTogether == kTogether) {
      finish_together<kTogether>(first, members, sum, residual);
    } else {
      const int grid = gridDim.x;
#pragma unroll
      for (int member = 0; member < kTogether; ++member) {
        if (member >= members) break;
        const int tile = first + member * grid;
        if (member > 0) residual = finishes(1) ? read_residual(tile) : make_float2(0.0f, 0.0f);
        finish_together<1>(tile, 1, reinterpret_cast<const float(&)[1][kTiles][4]>(sum[member]), residual);
      }
    }
  }

  template <int kMembers>
  __device__ void finish_together(int first, int members, const float (&sum)[kMembers][kTiles][4], float2 residual) {
    sync_threads_below<kUserThreads>();  // nobody still reads the sums of the tiles before
#pragma unroll
    for (int member = 0; member < kMembers; ++member) {
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
        float(*const mine)[8] = shared.partial[member][warp][i];
        *reinterpret_cast<float2*>(mine[g] + 2 * t) = make_float2(sum[member][i][0], sum[member][i][1]);
        *reinterpret_cast<float2*>(mine[g + 8] + 2 * t) = make_float2(sum[member][i][2], sum[member][i][3]);
      }
    }
    sync_threads_below<kUserThreads>();
    // Whole warps go on: eight lanes store together.
    if (threadIdx.x / 32 * 32 >= kMembers * kFinishers) return;
    const int member = finished_member(), row = finished_row(), i = threadIdx.x % 8;
    const bool counts = finishes(members);
    float upper = 0.0f, lower = 0.0f;
    if (counts) {
#pragma unroll
      for (int w = 0; w < kUserWarps; ++w) {
        upper += shared.partial[member][w][row / 8][i][row % 8];
        lower += shared.partial[member][w][row / 8][i + 8][row % 8];
      }
      if constexpr (kNormed<kPhase>) {
        if (factor == 0.0f) {
          float square = 0.0f;
#pragma unroll
          for (int w = 0; w < kUserWarps; ++w) square += shared.squares[w][row];
          factor = rsqrtf(square / static_cast<float>(shape.length) + a.epsilon);
        }
        upper *= factor, lower *= factor;
      }
    }
    store(rows_of_tile<kPhase, kHeadSize>(a, counts ? first + member * gridDim.x : first), counts, counts ? row : 0, i,
          upper, lower, residual);
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

  __device__ void store(const TileRows& rows, bool counts, int row, int i, float upper, float lower,
                        float2 residual) const {
    const int column = rows.base + i;
    if constexpr (kNarrow) {
      const float* const scales = kPhase == Phase::kQueryKeyValue ? a.query_key_value_scales
                                  : kPhase == Phase::kOutput      ? a.output_scales
                                  : kPhase == Phase::kGateUp      ? a.gate_up_scales
                                                                  : a.down_scales;
      const float* const of_layer = scales + int64_t{layer} * shape.rows;
      upper *= of_layer[column] / kShrink, lower *= of_layer[column + rows.distance] / kShrink;
    }
    if constexpr (kPhase == Phase::kQueryKeyValue) {
      store_vectors(rows, counts, row, i, round_to<T>(upper), round_to<T>(lower));
    } else if constexpr (kPhase == Phase::kGateUp) {
      store_together(a.active(layer, width) + int64_t{row} * a.feed_forward + rows.base, counts, silu<T>(upper) * lower);
    } else {
      T* const target = (kPhase == Phase::kOutput       ? a.middle(layer, width)
                         : layer + 1 == a.layers ? a.y
                                                 : a.hidden(layer, width)) +
                        int64_t{row} * a.hidden_size + rows.base;
      store_together(target, counts, upper + residual.x);
      store_together(target + 8, counts, lower + residual.y);
    }
  }

  // Two channels of a query, a key or a value; those of queries and keys are turned by the row's position.
  __device__ void store_vectors(const TileRows& rows, bool counts, int row, int i, float first, float second) const {
    const int kind = rows.base / width, within = rows.base % width;
    const int head = within / kHeadSize, d = within % kHeadSize;
    if (kind < 2) {
      const float cosine = shared.cosines[row][d + i], sine = shared.sines[row][d + i], low = first;
      first = low * cosine - second * sine;
      second = second * cosine + low * sine;
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
