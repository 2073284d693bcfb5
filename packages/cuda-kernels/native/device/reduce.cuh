// Sums and maxima over a warp or a block. Every thread of the warp or block must take part.

#pragma once

#include <cuda_runtime.h>

namespace limen {

inline constexpr unsigned kFullWarp = 0xffffffffu;

// Every lane receives the result. With kWidth < 32 the warp splits into groups of that many neighbouring lanes.
template <int kWidth = 32>
__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
  for (int offset = kWidth / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(kFullWarp, value, offset);
  return value;
}

template <int kWidth = 32>
__device__ __forceinline__ float warp_max(float value) {
#pragma unroll
  for (int offset = kWidth / 2; offset > 0; offset /= 2) {
    value = fmaxf(value, __shfl_xor_sync(kFullWarp, value, offset));
  }
  return value;
}

// Every thread receives the result. blockDim.x must be kThreads, a multiple of 32. May be called repeatedly:
// the trailing barrier keeps a second call from overwriting what a slow warp still has to read.
template <int kThreads>
__device__ __forceinline__ float block_sum(float value) {
  static_assert(kThreads % 32 == 0 && kThreads <= 1024, "whole warps only");
  value = warp_sum(value);
  if constexpr (kThreads > 32) {
    __shared__ float partial[kThreads / 32];
    const int lane = threadIdx.x % 32;
    if (lane == 0) partial[threadIdx.x / 32] = value;
    __syncthreads();
    value = warp_sum(lane < kThreads / 32 ? partial[lane] : 0.0f);
    __syncthreads();
  }
  return value;
}

template <int kThreads>
__device__ __forceinline__ float block_max(float value) {
  static_assert(kThreads % 32 == 0 && kThreads <= 1024, "whole warps only");
  value = warp_max(value);
  if constexpr (kThreads > 32) {
    __shared__ float partial[kThreads / 32];
    const int lane = threadIdx.x % 32;
    if (lane == 0) partial[threadIdx.x / 32] = value;
    __syncthreads();
    value = warp_max(lane < kThreads / 32 ? partial[lane] : -INFINITY);
    __syncthreads();
  }
  return value;
}

}  // namespace limen
