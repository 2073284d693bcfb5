// What the copying warp of decode_layers does for a product: tiles of sixteen weight rows go through the ring, in groups in
// the order in which the users multiply them (decode_layers_linear.cuh).

#pragma once

#include "kernels/decode_layers_common.cuh"

namespace limen {

// Tiles that are multiplied side by side: they share a barrier when they are finished, or, where x does not stay in
// registers, one reading of x. As many as their sums find registers.
template <int kTiles>
inline constexpr int kSideBySide = kTiles == 1 ? 2 : kTiles == 2 ? 6 : 4;

// Up to eight rows of up to 4096 16-bit values stay in the registers of the user warps for a whole phase.
template <Phase kPhase, int kTiles>
inline constexpr bool kHolds = kTiles == 1 && kPhase != Phase::kDown;
template <Phase kPhase>
inline constexpr bool kNormed = kPhase == Phase::kQueryKeyValue || kPhase == Phase::kGateUp;

// Tiles of a group: `first` and every gridDim.x-th after it.
template <int kTiles>
__device__ __forceinline__ int members_of(int first, int tiles) {
  const int grid = gridDim.x;
  return min(kSideBySide<kTiles>, (tiles - first + grid - 1) / grid);
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
  for (int first = blockIdx.x; first < shape.tiles; first += kSideBySide<kTiles> * grid) {
    const int members = members_of<kTiles>(first, shape.tiles);
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
