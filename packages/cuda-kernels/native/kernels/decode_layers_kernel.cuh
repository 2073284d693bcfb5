// The kernel of decode_layers and its launch; see decode_layers_common.cuh for the plan.

#pragma once

#include <algorithm>

#include "core/op_error.h"
#include "device/launch.cuh"
#include "device/warpgroup.cuh"
#include "kernels/decode_layers_attention.cuh"
#include "kernels/decode_layers_linear.cuh"

namespace limen {

// Where the token goes and by what angles it turns are the same for all layers.
template <int kTiles, int kHeadSize, typename T>
__device__ void prepare_step(const DecodeLayersArguments<T>& a, const RotaryFrequencies& frequencies,
                             LayersShared<kTiles, kHeadSize>& shared) {
  for (int index = threadIdx.x; index < a.batch * (kHeadSize / 2); index += blockDim.x) {
    const int row = index / (kHeadSize / 2), pair = index % (kHeadSize / 2);
    float sine, cosine;
    sincosf(__fmul_rn(static_cast<float>(a.rotary_positions[row]), frequencies.value[pair]), &sine, &cosine);
    shared.turns[row][pair] = pack2<T>(cosine, sine);
  }
  if (threadIdx.x < a.batch) shared.slots[threadIdx.x] = a.slot_of(threadIdx.x);
  __syncthreads();
}

template <int kTiles, int kHeadSize, typename W, typename T>
__global__ void __launch_bounds__(kLayersThreads, 1)
    decode_layers_kernel(const __grid_constant__ DecodeLayersArguments<T> a,
                         const __grid_constant__ RotaryFrequencies frequencies) {
  using Shared = LayersShared<kTiles, kHeadSize>;
  extern __shared__ __align__(1024) char memory[];
  Shared& shared = *reinterpret_cast<Shared*>(memory + a.stages * kStageBytes);
  for (int stage = threadIdx.x; stage < a.stages; stage += blockDim.x) {
    init_barrier(shared.full + stage, 1);
    init_barrier(shared.empty + stage, kUserWarps);
  }
  publish_barriers();
  prepare_step<kTiles, kHeadSize>(a, frequencies, shared);

  Ring ring = {memory, shared.full, shared.empty, a.stages, kStageBytes};
  if (threadIdx.x >= kUserThreads) {
    release_registers<kCopyRegisters>();
    if (threadIdx.x >= kUserThreads + 32) return;
    RingFiller filler(ring, kStagesOnTheWay);
    for (int layer = 0; layer < a.layers; ++layer) {
      if (layer >= kLayersUntilCleared) clear_share(a.scratch_of(layer - kLayersUntilCleared), a.layer_bytes);
      stream_weights<Phase::kQueryKeyValue, kTiles, kHeadSize, W>(a, layer, filler);
      stream_keys<kHeadSize, kStageBytes>(a, layer, filler);
      stream_weights<Phase::kOutput, kTiles, kHeadSize, W>(a, layer, filler);
      stream_weights<Phase::kGateUp, kTiles, kHeadSize, W>(a, layer, filler);
      stream_weights<Phase::kDown, kTiles, kHeadSize, W>(a, layer, filler);
    }
    return;
  }
  claim_registers<kUserRegisters>();
  for (int layer = 0; layer < a.layers; ++layer) {
    multiply<Phase::kQueryKeyValue, kTiles, kHeadSize, W>(a, shared, layer, ring);
    attend<kTiles, kHeadSize, kStageBytes>(a, layer, shared, ring);
    multiply<Phase::kOutput, kTiles, kHeadSize, W>(a, shared, layer, ring);
    multiply<Phase::kGateUp, kTiles, kHeadSize, W>(a, shared, layer, ring);
    multiply<Phase::kDown, kTiles, kHeadSize, W>(a, shared, layer, ring);
  }
}

struct LayersDevice {
  int multiprocessors, shared_bytes, major;

  // By device, as a process may use several.
  static LayersDevice current() {
    int device = 0;
    LIMEN_CUDA_CHECK(cudaGetDevice(&device));
    thread_local std::map<int, LayersDevice> known;
    const auto found = known.find(device);
    if (found != known.end()) return found->second;
    LayersDevice facts = {};
    LIMEN_CUDA_CHECK(cudaDeviceGetAttribute(&facts.multiprocessors, cudaDevAttrMultiProcessorCount, device));
    LIMEN_CUDA_CHECK(cudaDeviceGetAttribute(&facts.shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
    LIMEN_CUDA_CHECK(cudaDeviceGetAttribute(&facts.major, cudaDevAttrComputeCapabilityMajor, device));
    return known[device] = facts;
  }
};

// One block on each multiprocessor, all at once; every block has a part in every product.
template <int kHeadSize, typename T>
Launch launch_of_layers(const DecodeLayersArguments<T>& a, const LayersDevice& device, cudaStream_t stream) {
  const int tiles = std::min({a.hidden_size, 3 * a.heads * kHeadSize, 2 * a.feed_forward}) / 16;
  Launch launch;
  launch.grid = dim3(std::min(device.multiprocessors, tiles));
  launch.block = dim3(kLayersThreads);
  launch.stream = stream;
  launch.cooperative = true;
  return launch;
}

// Clears what blocks hand to one another.
template <typename T>
void clear_scratch(const DecodeLayersArguments<T>& a, cudaStream_t stream) {
  LIMEN_CUDA_CHECK(cudaMemsetAsync(a.scratch, 0xff, std::min(a.layers, kScratchLayers) * a.layer_bytes, stream));
}

template <int kTiles, int kHeadSize, typename W, typename T>
void launch_layers(DecodeLayersArguments<T> a, const RotaryFrequencies& frequencies, cudaStream_t stream) {
  const LayersDevice device = LayersDevice::current();
  using Shared = LayersShared<kTiles, kHeadSize>;
  a.stages = std::min(kMostStages, (device.shared_bytes - static_cast<int>(sizeof(Shared))) / kStageBytes);
  Launch launch = launch_of_layers<kHeadSize>(a, device, stream);
  launch.shared_bytes = static_cast<size_t>(a.stages * kStageBytes) + sizeof(Shared);
  clear_scratch(a, stream);
  launch_kernel(launch, decode_layers_kernel<kTiles, kHeadSize, W, T>, a, frequencies);
}

}  // namespace limen
