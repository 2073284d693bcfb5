// What the copying warp of decode_layers does for a product: tiles of sixteen weight rows go through the ring, in groups in
// the order in which the users multiply them (decode_layers_linear.cuh).

#pragma once

#include "kernels/decode_layers_common.cuh"

namespace limen {

// With more than eight rows (decode_layers_wide.cuh) x does not stay in registers. Tiles that are multiplied side by side
// then share one reading of x; they are as many as leave room for the segments of x that are asked for ahead. A block has
// few tiles of output and down, but all of x to read for them.
template <Phase kPhase, int kTiles, typename W>
struct WidePlan {
  static constexpr bool kFewTiles = kPhase == Phase::kOutput || kPhase == Phase::kDown;
  static constexpr int kOfSegment = 32 * kTiles / static_cast<int>(sizeof(W));  // registers for a segment of x
  static constexpr int kTogether = kFewTiles ? 2 : kOfSegment <= 32 ? 11 : kOfSegment <= 64 ? 6 : 3;
  static constexpr int kAhead = kOfSegment <= (kFewTiles ? 64 : 32) ? 2 : 1;  // segments
  static constexpr int kTilesOfStage = 4 / kTiles;  // whose sums a stage can keep

  // Half the ring may keep sums: on devices with little shared memory that is fewer tiles.
  static __device__ __forceinline__ int together(int stages) { return min(kTogether, stages / 2 * kTilesOfStage); }
};

// Up to eight rows of up to 4096 16-bit values stay in the registers of the user warps for a whole phase.
template <Phase kPhase, int kTiles>
inline constexpr bool kHolds = kTiles == 1 && kPhase != Phase::kDown;
template <Phase kPhase>
inline constexpr bool kNormed = kPhase == Phase::kQueryKeyValue || kPhase == Phase::kGateUp;

// Tiles of a group: `first` and every gridDim.x-th after it.
__device__ __forceinline__ int members_of(int first, int tiles, int together) {
  const int grid = gridDim.x;
  return min(together, (tiles - first + grid - 1) / grid);
}

template <Phase kPhase, typename T>
__device__ __forceinline__ const T* norm_of_phase(const DecodeLayersArguments<T>& a, int layer) {
  return (kPhase == Phase::kQueryKeyValue ? a.attention_norm : a.mlp_norm) + int64_t{layer} * a.hidden_size;
}

template <Phase kPhase, typename T>
__device__ __forceinline__ const char* weight_of_phase(const DecodeLayersArguments<T>& a) {
  return static_cast<const char*>(kPhase == Phase::kQueryKeyValue ? a.weights.query_key_value
                                  : kPhase == Phase::kOutput      ? a.weights.output
                                  : kPhase == Phase::kGateUp      ? a.weights.gate_up
                                                                  : a.weights.down);
}

// The copying warp's part of a product.
template <Phase kPhase, int kTiles, int kHeadSize, typename W, typename T>
__device__ void stream_weights(const DecodeLayersArguments<T>& a, int layer, RingFiller& filler) {
  const PhaseShape shape = shape_of_phase<kPhase, kHeadSize, W>(a);
  const int grid = gridDim.x, lane = threadIdx.x % 32, row_bytes = shape.length * static_cast<int>(sizeof(W));
  const char* const weight = weight_of_phase<kPhase>(a) + int64_t{layer} * shape.rows * row_bytes;
  uint64_t* full;
  if constexpr (kHolds<kPhase, kTiles> && kNormed<kPhase>) {
    const uint32_t bytes = shape.length * static_cast<uint32_t>(sizeof(T));
    char* const stage = filler.next(bytes, full);
    if (lane == 0) copy_bulk(stage, norm_of_phase<kPhase>(a, layer), bytes, full, filler.policy);
  }
  const auto copy = [&](int tile, int segment) {
    const TileRows rows = rows_of_tile<kPhase, kHeadSize>(a, tile);
    const int offset = segment * kSegmentBytes;
    const uint32_t bytes = min(kSegmentBytes, row_bytes - offset);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      char* const stage = filler.next(8 * bytes, full);
      const int64_t row = rows.base + half * rows.distance + lane;
      if (lane < 8) copy_bulk(stage + lane * kSegmentBytes, weight + row * row_bytes + offset, bytes, full, filler.policy);
    }
  };
  int together = kSideBySide;
  if constexpr (kTiles > 1) together = WidePlan<kPhase, kTiles, W>::together(a.stages);
  for (int first = blockIdx.x; first < shape.tiles; first += together * grid) {
    const int members = members_of(first, shape.tiles, together);
    if constexpr (kHolds<kPhase, kTiles>) {
      for (int member = 0; member < members; ++member) {
        for (int segment = 0; segment < shape.segments; ++segment) copy(first + member * grid, segment);
      }
    } else {
      for (int segment = 0; segment < shape.segments; ++segment) {
        for (int member = 0; member < members; ++member) copy(first + member * grid, segment);
      }
    }
  }
}

}  // namespace limen
