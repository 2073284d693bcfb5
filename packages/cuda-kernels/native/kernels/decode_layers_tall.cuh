// The products of decode_layers for more than eight rows by warpgroup products (sm_90a), for weights of the common type.
//
// A block multiplies all its tiles of a product at once, so it reads x once. Tiles come as boxes of 64 columns, one below
// the other, and are the 64-high side of products; x, up to 32 rows of it, is the other side. Of the two groups of four
// warps that compute, one reads x: it looks for it, multiplies it with the norm's weights and puts it into a ring of its
// own. The other multiplies; a warp of it ends up with whole sums of every fourth tile (decode_layers_tall_end.cuh).
//
// A block has only two tiles of output and down, but all of x to read for them. Two neighbouring blocks, a cluster,
// therefore have four tiles in common, and half of their length each.
//
// The first half of a layer ends with output, the second with down. Both halves run through the same instructions: those
// of four different products would not fit the instruction cache.

#pragma once

#include "device/vector_arithmetic.cuh"
#include "device/warpgroup.cuh"
#include "kernels/decode_layers_common.cuh"

namespace limen {

inline constexpr int kTallColumns = 64;                  // of a box: 128 bytes of each row
inline constexpr int kTallTileBytes = 16 * kBlockBytes;  // of a box
inline constexpr int kTallTiles = 12;                    // boxes of a stage
inline constexpr int kTallStageBytes = kTallTiles * kTallTileBytes;
inline constexpr int kTallStagesOnTheWay = 3;
inline constexpr int kGroupThreads = 128, kGroupWarps = 4;
// The ring of x: a stage has x for some boxes along a row.
inline constexpr int kChunkStages = 3, kChunkStepsMost = 3;
template <int kTiles>
inline constexpr int kVectorBytes = 8 * kTiles * kBlockBytes;  // for one box
template <int kTiles>
inline constexpr int kChunkBytes = kChunkStepsMost * kVectorBytes<kTiles>;

// Boxes of one tile of each product's weights: 64 columns, 8 rows, 2 halves at a distance.
struct TallMaps {
  CUtensorMap query_key_value, output, gate_up, down;
};

// Beside what all ways share: barriers of the ring of x, and the sums of two tiles from the other block of the cluster,
// which may come while this block is still busy with attention, with barriers for what two warps receive, and for the room
// in the other block that two others wait for.
template <int kTiles>
struct TallShared {
  float4 sums[2][kTiles * 32];
  uint64_t full[kChunkStages], empty[kChunkStages], received[2], room[2];
};

// A block's part of a product: of one that opens half of a layer (query, key and value; gate and up), whose x is normed, or
// of one that closes it (output; down), which adds to the residual and is divided between two blocks.
template <bool kOpens, int kHeadSize, typename T>
struct TallPhase {
  static constexpr bool kDivides = !kOpens;
  static constexpr int kTogether = kDivides ? kGroupWarps : kTallTiles;
  static constexpr int kPanels = kTogether / kGroupWarps;  // 64 rows of weights
  static constexpr int kChunkSteps = kDivides ? 3 : 2;
  static constexpr int kTilesOfHead = kHeadSize / 16;

  const DecodeLayersArguments<T>& a;
  int layer;
  bool second;  // half of the layer
  int width = a.heads * kHeadSize;
  int length = made_here(kOpens ? a.hidden_size : second ? a.feed_forward : width);
  int tiles = (kOpens ? second ? 2 * a.feed_forward : 3 * width : a.hidden_size) / 16;
  int first = made_here(blockIdx.x), stride = made_here(gridDim.x);  // its tiles: `first` and every stride-th after it
  int begin = 0, end = length / kTallColumns;                        // its boxes of a row
  int chunks;                                                        // x behind the end is zeros

  __device__ __forceinline__ TallPhase(const DecodeLayersArguments<T>& arguments, int turn)
      : a(arguments), layer(turn / 2), second(turn % 2 != 0) {
    if constexpr (kDivides) {
      const int half = (end + 2 * kChunkSteps - 1) / (2 * kChunkSteps) * kChunkSteps;
      if (first % 2 == 0) end = min(half, end);
      if (first % 2 != 0) begin = half;
      first /= 2, stride /= 2;
    }
    chunks = max(0, end - begin + kChunkSteps - 1) / kChunkSteps;
  }

  __device__ __forceinline__ int members(int from) const { return min(kTogether, (tiles - from + stride - 1) / stride); }
  // Of up to six tiles a stage has two boxes of a row, of more it has one.
  static __device__ __forceinline__ int steps_of_stage(int members) {
    return kDivides ? kChunkSteps : members <= kTallTiles / 2 ? 2 : 1;
  }
  // Boxes from one of a tile to its next.
  static __device__ __forceinline__ int pitch(int members) { return kDivides ? kGroupWarps : members; }
  __device__ __forceinline__ int stages() const {
    int count = 0;
    for (int from = first; from < tiles; from += kTogether * stride) {
      count += chunks * kChunkSteps / steps_of_stage(members(from));
    }
    return count;
  }

  // Rows of values are paired like those of queries and keys.
  __device__ __forceinline__ TileRows rows_of(int tile) const {
    if (!kOpens) return {tile * 16, 8};
    if (second) return {tile * 8, a.feed_forward};
    return {tile / kTilesOfHead * kHeadSize + tile % kTilesOfHead * 8, kHeadSize / 2};
  }
  // What comes into this half of the layer; the first layer's is the caller's.
  __device__ __forceinline__ const T* residual() const {
    return second ? a.middle(layer, width) : layer == 0 ? a.x : a.hidden(layer - 1, width);
  }
  __device__ __forceinline__ const T* source() const {
    return kOpens ? residual() : second ? a.active(layer, width) : a.attended(layer, width);
  }
  __device__ __forceinline__ bool is_awaited() const { return !kOpens || second || layer > 0; }
  __device__ __forceinline__ const T* norm() const {
    return (second ? a.mlp_norm : a.attention_norm) + int64_t{layer} * a.hidden_size;
  }
  __device__ __forceinline__ const CUtensorMap* map(const TallMaps& maps) const {
    return kOpens ? second ? &maps.gate_up : &maps.query_key_value : second ? &maps.down : &maps.output;
  }
};

// The copying warp's part of a product. What lies behind the end of a row arrives as zeros.
template <bool kOpens, int kHeadSize, typename T>
__device__ void stream_tall(const TallPhase<kOpens, kHeadSize, T>& phase, const TallMaps& maps, RingFiller& filler) {
  const CUtensorMap* const map = phase.map(maps);
  const int lane = threadIdx.x % 32;
  for (int first = phase.first; first < phase.tiles; first += phase.kTogether * phase.stride) {
    const int members = phase.members(first), steps = phase.steps_of_stage(members), pitch = phase.pitch(members);
    const int member = lane % pitch, tile = first + member * phase.stride;
    int place = tile, part = phase.layer;
    if (kOpens && !phase.second) {
      place = tile % phase.kTilesOfHead, part = phase.layer * 3 * phase.a.heads + tile / phase.kTilesOfHead;
    }
    const bool copies = lane < steps * pitch && member < members;
    int column = (phase.begin + lane / pitch) * kTallColumns;
    for (int left = phase.chunks * phase.kChunkSteps; left > 0; left -= steps, column += steps * kTallColumns) {
      uint64_t* full;
      char* const stage = filler.next(steps * members * kTallTileBytes, full);
      if (copies) copy_box(stage + lane * kTallTileBytes, map, column, 0, 0, place, part, full, filler.policy);
    }
  }
}

// The reading group's part.
template <bool kOpens, int kTiles, int kHeadSize, typename T>
struct TallReader {
  using Phase = TallPhase<kOpens, kHeadSize, T>;
  static constexpr int kAhead = 4;  // chunks that are asked for ahead
  static constexpr int kSteps = Phase::kChunkSteps;
  static constexpr int kRowTurns = kTiles / 2, kPieces = kSteps * kRowTurns;

  struct Chunk {
    uint4 x[kPieces], norm[kOpens ? kSteps : 1];
  };

  const Phase& phase;
  LayersShared<kTiles, kHeadSize>& shared;
  const DecodeLayersArguments<T>& a = phase.a;
  // Eight lanes ↔ 128 bytes of a row of x; a thread reads every sixteenth row.
  const int thread = made_here(threadIdx.x), part = thread % 8, row = thread % kGroupThreads / 8;
  const T* const source = phase.source() + (row * phase.length + part * 8);
  const T* const norm = phase.norm() + part * 8;

  __device__ __forceinline__ const T* place_of(int step, int i) const {
    return source + step * kTallColumns + (i % kRowTurns * 16 * phase.length + i / kRowTurns * kTallColumns);
  }
  __device__ __forceinline__ void fetch(int step, Chunk& into) const {
    if (step >= phase.end) return;
#pragma unroll
    for (int i = 0; i < kPieces; ++i) {
      const bool exists = i % kRowTurns * 16 + row < a.batch && step + i / kRowTurns < phase.end;
      into.x[i] = exists ? load_shared_by_blocks(place_of(step, i)) : make_uint4(0, 0, 0, 0);
    }
    if constexpr (kOpens) {
#pragma unroll
      for (int i = 0; i < kSteps; ++i) {
        if (step + i < phase.end) into.norm[i] = load16_raw(norm + (step + i) * kTallColumns);
      }
    }
  }
  __device__ __forceinline__ void await(int step, Chunk& into) const {
    await_all(into.x, [&](int i) { return place_of(step, i); });
  }

  __device__ __forceinline__ void run(Ring& vectors) const {
    for (int first = phase.first; first < phase.tiles; first += phase.kTogether * phase.stride) {
      const bool may_lack = first == phase.first && phase.is_awaited();
      Chunk ahead[kAhead] = {};
      float squares[kRowTurns] = {};
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        fetch(phase.begin + i * kSteps, ahead[i]);
        // More is asked for when the first of it is there: earlier it would be missing, and asked for twice.
        if (i == 0 && may_lack) await(phase.begin, ahead[0]);
      }
      for (int step = phase.begin; step < phase.end; step += kAhead * kSteps) {
#pragma unroll
        for (int i = 0; i < kAhead; ++i) {
          const int at_hand = step + i * kSteps;
          if (at_hand >= phase.end) break;
          if (may_lack) await(at_hand, ahead[i]);
          vectors.wait_until_empty();
          char* const mine = vectors.stage() + row * kBlockBytes + (part ^ (row % 8)) * 16;
#pragma unroll
          for (int j = 0; j < kPieces; ++j) {
            const int turn = j % kRowTurns, box = j / kRowTurns;
            uint4 x = ahead[i].x[j];
            if constexpr (kOpens) {
              squares[turn] = sum_of_squares<T>(x, squares[turn]);
              x = multiply_pairs<T>(x, ahead[i].norm[box]);
            }
            *reinterpret_cast<uint4*>(mine + box * kVectorBytes<kTiles> + turn * 16 * kBlockBytes) = x;
          }
          fetch(at_hand + kAhead * kSteps, ahead[i]);
          if (kOpens && at_hand + kSteps >= phase.end) share_factors(squares);
          publish_stores();
          __syncwarp();
          if (thread % 32 == 0) arrive(vectors.full + vectors.index);
          vectors.advance();
        }
      }
    }
  }

  // Seen by the multiplying group with the last chunk.
  __device__ __forceinline__ void share_factors(const float (&squares)[kRowTurns]) const {
#pragma unroll
    for (int turn = 0; turn < kRowTurns; ++turn) {
      const float square = warp_sum<8>(squares[turn]);
      if (part == 0) shared.squares[0][turn * 16 + row] = rsqrtf(square / static_cast<float>(phase.length) + a.epsilon);
    }
  }
};

template <int kTiles>
using TallSums = float[4 * kTiles];

// The multiplying group's part: kCount panels of 64 rows of weights over all of the block's length, kSteps boxes of a row
// in a stage.
template <int kCount, int kSteps, int kTiles, int kAll, bool kOpens, int kHeadSize, typename T>
__device__ __forceinline__ void multiply_panels(const TallPhase<kOpens, kHeadSize, T>& phase, int members, Ring& ring,
                                                Ring& vectors, TallSums<kTiles> (&sum)[kAll]) {
  constexpr int kStages = phase.kChunkSteps / kSteps;  // of a chunk
  const int pitch = phase.pitch(members) * kTallTileBytes;
  const bool leads = made_here(threadIdx.x) % 32 == 0;
  // The operand `bytes` further on. Its upper half is the same everywhere.
  const auto further = [](uint64_t operand, int bytes) {
    return (operand & 0xffffffff00000000u) | (static_cast<uint32_t>(operand) + (static_cast<uint32_t>(bytes) >> 4));
  };
  Ring used = ring, used_vectors = vectors;
  const auto leave_stage = [&] {
    // On behalf of the reading group too.
    if (leads) arrive(used.empty + used.index, kUserWarps / kGroupWarps);
    used.advance();
  };
  const auto leave_chunk = [&] {
    if (leads) arrive(used_vectors.empty + used_vectors.index);
    used_vectors.advance();
  };
  for (int chunk = 0; chunk < phase.chunks; ++chunk) {
    vectors.wait_until_full();
    const uint64_t x = swizzled_operand(shared_address(vectors.stage()));
#pragma unroll
    for (int stage = 0; stage < kStages; ++stage) {
      ring.wait_until_full();
      const uint64_t rows = swizzled_operand(shared_address(ring.stage()));
      begin_products();
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
        const uint64_t rows_of_step = further(rows, step * pitch);
#pragma unroll
        for (int i = 0; i < kTallColumns / 16; ++i) {
#pragma unroll
          for (int panel = 0; panel < kCount; ++panel) {
            multiply_group<T>(sum[panel], further(rows_of_step, panel * kGroupWarps * kTallTileBytes + i * 32),
                              further(x, (stage * kSteps + step) * kVectorBytes<kTiles> + i * 32), 1);
          }
        }
      }
      commit_products();
      // The products of the stage before are complete: what they read may be overwritten.
      wait_for_products<1>();
      if (chunk > 0 || stage > 0) leave_stage();
      if (chunk > 0 && stage == 0) leave_chunk();
      ring.advance();
    }
    vectors.advance();
  }
  wait_for_products<0>();
  if (phase.chunks > 0) leave_stage(), leave_chunk();
#pragma unroll
  for (int panel = 0; panel < kCount; ++panel) hold(sum[panel]);
}

}  // namespace limen
