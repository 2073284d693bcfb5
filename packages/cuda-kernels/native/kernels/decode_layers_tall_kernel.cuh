// The kernel of decode_layers for more than eight rows and weights of the common type on sm_90a, and its launch; see
// decode_layers_tall.cuh.

#pragma once

#include <algorithm>
#include <map>
#include <utility>

#include "device/warpgroup_launch.cuh"
#include "kernels/decode_layers_kernel.cuh"
#include "kernels/decode_layers_tall_end.cuh"

namespace limen {

inline constexpr int kTallAlignment = 1024;  // of what is swizzled

template <int kTiles, int kHeadSize, typename T>
__global__ void __launch_bounds__(kLayersThreads, 1)
    decode_layers_tall_kernel(const __grid_constant__ DecodeLayersArguments<T> a,
                              const __grid_constant__ RotaryFrequencies frequencies,
                              const __grid_constant__ TallMaps maps) {
#if LIMEN_WARPGROUPS
  using Shared = LayersShared<kTiles, kHeadSize>;
  extern __shared__ char unaligned[];
  __shared__ TallShared<kTiles> own;
  char* const memory = unaligned + (kTallAlignment - shared_address(unaligned) % kTallAlignment) % kTallAlignment;
  char* const chunks = memory + a.stages * kTallStageBytes;
  Shared& shared = *reinterpret_cast<Shared*>(chunks + kChunkStages * kChunkBytes<kTiles>);
  for (int i = threadIdx.x; i < kMostStages; i += blockDim.x) {
    if (i < a.stages) init_barrier(shared.full + i, 1), init_barrier(shared.empty + i, kUserWarps);
    if (i < kChunkStages) init_barrier(own.full + i, kGroupWarps), init_barrier(own.empty + i, kGroupWarps);
    if (i < 2) init_barrier(own.received + i, 1), init_barrier(own.room + i, 1);
  }
  publish_barriers();
  prepare_step<kTiles, kHeadSize>(a, frequencies, shared);
  sync_cluster();

  Ring ring = {memory, shared.full, shared.empty, a.stages, kTallStageBytes};
  if (threadIdx.x >= kUserThreads) {
    release_registers<kCopyRegisters>();
    if (threadIdx.x >= kUserThreads + 32) return;
    RingFiller filler(ring, kTallStagesOnTheWay);
#pragma unroll 1
    for (int turn = 0; turn < 2 * a.layers; ++turn) {
      const int layer = turn / 2;
      const bool begins = turn % 2 == 0;
      if (begins && layer >= kLayersUntilCleared) clear_share(a.scratch_of(layer - kLayersUntilCleared), a.layer_bytes);
      stream_tall<true>(TallPhase<true, kHeadSize, T>(a, turn), maps, filler);
      if (begins) stream_keys<kHeadSize, kTallStageBytes>(a, layer, filler);
      stream_tall<false>(TallPhase<false, kHeadSize, T>(a, turn), maps, filler);
    }
    return;
  }
  claim_registers<kUserRegisters>();
  Ring vectors = {chunks, own.full, own.empty, kChunkStages, kChunkBytes<kTiles>};
  uint32_t parity = 0;
#pragma unroll 1
  for (int turn = 0; turn < 2 * a.layers; ++turn) {
    multiply_tall<true>(a, shared, own, turn, ring, vectors, parity);
    if (turn % 2 == 0) {
      // The reading group has passed over stages of the ring. It may not look at it while the other is far behind: only
      // parities tell one round of the ring from the next.
      sync_threads_below<kUserThreads>();
      attend<kTiles, kHeadSize, kTallStageBytes>(a, turn / 2, shared, ring);
    }
    multiply_tall<false>(a, shared, own, turn, ring, vectors, parity);
  }
#endif
}

// The maps of all products' weights.
template <int kHeadSize, typename T>
TallMaps tall_maps(const DecodeLayersArguments<T>& a) {
  const int64_t layers = a.layers, channels = a.hidden_size, width = int64_t{a.heads} * kHeadSize, wide = a.feed_forward;
  const auto map = [&](const void* weight, int64_t length, int64_t distance, int64_t tiles, int64_t step, int64_t parts,
                       int64_t part) {
    return tensor_map("decode_layers", static_cast<const T*>(weight), {length, 8, 2, tiles, parts},
                      {length, distance * length, step * length, part * length}, {kTallColumns, 8, 2, 1, 1});
  };
  return {map(a.weights.query_key_value, channels, kHeadSize / 2, kHeadSize / 16, 8, layers * 3 * a.heads, kHeadSize),
          map(a.weights.output, width, 8, channels / 16, 16, layers, channels),
          map(a.weights.gate_up, channels, wide, wide / 8, 8, layers, 2 * wide),
          map(a.weights.down, wide, 8, channels / 16, 16, layers, channels)};
}

// Whether this device has warpgroup products and runs so many pairs of blocks at once.
template <typename T>
bool fits_tall_way(const Launch& launch, void (*kernel)(DecodeLayersArguments<T>, RotaryFrequencies, TallMaps)) {
  int device = 0;
  LIMEN_CUDA_CHECK(cudaGetDevice(&device));
  thread_local std::map<std::pair<int, const void*>, int> known;  // pairs
  const auto [entry, is_new] = known.try_emplace({device, reinterpret_cast<const void*>(kernel)}, 0);
  if (is_new && warpgroup_device(reinterpret_cast<const void*>(kernel)).usable) {
    prepare_kernel(reinterpret_cast<const void*>(kernel), launch);
    cudaLaunchConfig_t config = {};
    config.gridDim = launch.grid, config.blockDim = launch.block, config.dynamicSmemBytes = launch.shared_bytes;
    cudaLaunchAttribute attribute = {};
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim = {launch.cluster, 1, 1};
    config.attrs = &attribute, config.numAttrs = 1;
    LIMEN_CUDA_CHECK(cudaOccupancyMaxActiveClusters(&entry->second, kernel, &config));
  }
  return entry->second * launch.cluster >= launch.grid.x;
}

// False, and nothing is launched, where the step has to go another way.
template <int kTiles, int kHeadSize, typename T>
bool launch_layers_tall(DecodeLayersArguments<T> a, const RotaryFrequencies& frequencies, cudaStream_t stream) {
  const LayersDevice device = LayersDevice::current();
  Launch launch = launch_of_layers<kHeadSize>(a, device, stream);
  constexpr int kBeside = kTallAlignment + kChunkStages * kChunkBytes<kTiles> +
                          static_cast<int>(sizeof(LayersShared<kTiles, kHeadSize>));
  constexpr int kDeclared = static_cast<int>(sizeof(TallShared<kTiles>));
  a.stages = std::min(kMostStages, (device.shared_bytes - kDeclared - kBeside) / kTallStageBytes);
  launch.grid.x -= launch.grid.x % 2;
  launch.cluster = 2;
  launch.shared_bytes = static_cast<size_t>(a.stages * kTallStageBytes + kBeside);
  if (a.stages < 2 || !fits_tall_way<T>(launch, decode_layers_tall_kernel<kTiles, kHeadSize, T>)) return false;
  clear_scratch(a, stream);
  launch_kernel(launch, decode_layers_tall_kernel<kTiles, kHeadSize, T>, a, frequencies, tall_maps<kHeadSize>(a));
  return true;
}

}  // namespace limen
