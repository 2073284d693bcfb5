// Blocks of a cluster (sm_90 and later): how they meet, and what they read from and leave in each other's shared memory. For
// older devices the functions compile to nothing and must not be used.

#pragma once

#include <cooperative_groups.h>

#include "device/bulk_copy.cuh"

namespace limen {

// All threads of all blocks meet, with what they have written. For whole warps.
__device__ __forceinline__ void sync_cluster() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
#endif
}

// The same in two steps, so that something else can be done between them. Each thread arrives and waits in turns.
__device__ __forceinline__ void arrive_at_cluster() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.arrive.release;" ::: "memory");
#endif
}
__device__ __forceinline__ void wait_for_cluster() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
#endif
}
// Arrives with nothing to show: says only that this block runs. Nobody may write into another's memory before that.
__device__ __forceinline__ void announce_to_cluster() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.arrive.relaxed;" ::: "memory");
#endif
}

// Where the block of that rank has what lies at `pointer` here.
__device__ __forceinline__ uint32_t address_in_cluster(const void* pointer, int rank) {
  uint32_t address = 0;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(address) : "r"(shared_address(pointer)), "r"(rank));
#endif
  return address;
}
template <typename T>
__device__ __forceinline__ T* in_block_of_cluster(T* pointer, int rank) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  return cooperative_groups::this_cluster().map_shared_rank(pointer, rank);
#else
  return pointer;
#endif
}

__device__ __forceinline__ float read_in_cluster(const float* pointer, int rank) {
  float value = 0.0f;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("ld.shared::cluster.f32 %0, [%1];" : "=f"(value) : "r"(address_in_cluster(pointer, rank)) : "memory");
#endif
  return value;
}
__device__ __forceinline__ float4 read_in_cluster(const float4* pointer, int rank) {
  float4 value = {};
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
               : "=f"(value.x), "=f"(value.y), "=f"(value.z), "=f"(value.w)
               : "r"(address_in_cluster(pointer, rank))
               : "memory");
#endif
  return value;
}

// Stores at an address of the cluster; the barrier there counts the bytes, like those of a copy. Cheaper than a store and a
// released arrival, which is a fence of everything.
__device__ __forceinline__ void send_in_cluster(uint32_t target, const float4& value, uint32_t barrier) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.f32 [%0], {%1, %2, %3, %4}, [%5];" ::"r"(target),
               "f"(value.x), "f"(value.y), "f"(value.z), "f"(value.w), "r"(barrier)
               : "memory");
#endif
}
__device__ __forceinline__ void send_in_cluster(uint32_t target, const float2& value, uint32_t barrier) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.f32 [%0], {%1, %2}, [%3];" ::"r"(target),
               "f"(value.x), "f"(value.y), "r"(barrier)
               : "memory");
#endif
}

// Tells the block of that rank that what this thread has read may be overwritten.
__device__ __forceinline__ void arrive_in_cluster(uint64_t* barrier, int rank) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(address_in_cluster(barrier, rank))
               : "memory");
#endif
}

}  // namespace limen
