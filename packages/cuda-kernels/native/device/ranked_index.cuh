// A value and its index in one 64-bit number that compares as "greater value first, then lower index", so that choosing
// the best of many is a maximum: exact, and the same in whatever order it is taken.

#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "device/reduce.cuh"

namespace limen {

using RankedIndex = unsigned long long;

// Order of floats as order of unsigned integers: NaN is 0, below −∞; −0 and +0 are equal.
__device__ __forceinline__ uint32_t rank_of(float value) {
  if (isnan(value)) return 0;
  const uint32_t bits = __float_as_uint(value + 0.0f);  // −0 becomes +0
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

__device__ __forceinline__ float value_of_rank(uint32_t rank) {
  return __uint_as_float((rank & 0x80000000u) != 0 ? rank & 0x7fffffffu : ~rank);
}

__device__ __forceinline__ RankedIndex rank_index(float value, uint32_t index) {
  return (static_cast<RankedIndex>(rank_of(value)) << 32) | (0xffffffffu - index);
}

__device__ __forceinline__ int32_t index_of(RankedIndex ranked) {
  return static_cast<int32_t>(0xffffffffu - static_cast<uint32_t>(ranked));
}

__device__ __forceinline__ RankedIndex warp_best(RankedIndex value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    const RankedIndex other = __shfl_xor_sync(kFullWarp, value, offset);
    value = other > value ? other : value;
  }
  return value;
}

// Every thread receives the result. `scratch` is shared memory of kThreads / 32 elements.
template <int kThreads>
__device__ __forceinline__ RankedIndex block_best(RankedIndex value, RankedIndex* scratch) {
  value = warp_best(value);
  const int lane = threadIdx.x % 32;
  if (lane == 0) scratch[threadIdx.x / 32] = value;
  __syncthreads();
  value = warp_best(lane < kThreads / 32 ? scratch[lane] : 0);
  __syncthreads();  // a second call must not overwrite what a slow warp still reads
  return value;
}

}  // namespace limen
