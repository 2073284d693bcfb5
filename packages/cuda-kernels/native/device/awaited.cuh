// Values that one block of a running kernel makes and others wait for, without a barrier: memory is filled with ones
// beforehand, sixteen bytes are stored at once, and a reader looks again until they are no longer ones. A float that is
// all ones is a NaN that no arithmetic and no conversion makes.
//
// A place is filled with ones again before it is used again, long after its readers and long before its next ones.

#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "device/reduce.cuh"

namespace limen {

inline constexpr uint32_t kAwaited = 0xffffffffu;
inline constexpr unsigned kAwaitNanoseconds = 200;

__device__ __forceinline__ uint4 load_shared_by_blocks(const void* pointer) {
  uint64_t low, high;
  asm volatile("{ .reg .b128 r; ld.relaxed.gpu.global.b128 r, [%2]; mov.b128 {%0, %1}, r; }"
               : "=l"(low), "=l"(high)
               : "l"(pointer)
               : "memory");
  return make_uint4(static_cast<uint32_t>(low), static_cast<uint32_t>(low >> 32), static_cast<uint32_t>(high),
                    static_cast<uint32_t>(high >> 32));
}
__device__ __forceinline__ void store_shared_by_blocks(void* pointer, const uint4& value) {
  const uint64_t low = value.x | static_cast<uint64_t>(value.y) << 32, high = value.z | static_cast<uint64_t>(value.w) << 32;
  asm volatile("{ .reg .b128 r; mov.b128 r, {%1, %2}; st.relaxed.gpu.global.b128 [%0], r; }" ::"l"(pointer), "l"(low),
               "l"(high)
               : "memory");
}

__device__ __forceinline__ bool is_missing(const uint4& value) { return value.w == kAwaited; }

// Fills this block's share of `bytes` with ones, by one warp.
__device__ __forceinline__ void clear_share(char* memory, int64_t bytes) {
  const int64_t step = int64_t{gridDim.x} * 32 * 16;
  for (int64_t at = (blockIdx.x * 32 + threadIdx.x % 32) * int64_t{16}; at < bytes; at += step) {
    store_shared_by_blocks(memory + at, make_uint4(kAwaited, kAwaited, kAwaited, kAwaited));
  }
  __threadfence();
}

// Loads values[i] from source(i) until all are there, by whole warps. Between two looks there is a pause: lanes that look
// again and again are in the way of what they wait for.
template <int kCount, typename Source>
__device__ __forceinline__ void await_all(uint4 (&values)[kCount], Source&& source) {
  while (true) {
    bool lacks = false;
#pragma unroll
    for (int i = 0; i < kCount; ++i) lacks |= is_missing(values[i]);
    if (!__any_sync(kFullWarp, lacks)) return;
    __nanosleep(kAwaitNanoseconds);
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      if (is_missing(values[i])) values[i] = load_shared_by_blocks(source(i));
    }
  }
}

}  // namespace limen
