// Copies from global to shared memory by the copy engine (cp.async.bulk, sm_90 and later), and the barriers in shared
// memory that tell when they have arrived. For older devices the functions compile to nothing and must not be used.

#pragma once

#include <cstdint>

#include "device/async_copy.cuh"

namespace limen {

// A barrier for `arrivals` threads a phase. Phases alternate in parity, beginning with 0.
__device__ __forceinline__ void init_barrier(uint64_t* barrier, int arrivals) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals) : "memory");
#endif
}
// Makes barriers that this thread has set up known to the copy engine; a __syncthreads() must follow.
__device__ __forceinline__ void publish_barriers() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

__device__ __forceinline__ void arrive(uint64_t* barrier) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
#endif
}
__device__ __forceinline__ void arrive(uint64_t* barrier, int count) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(count) : "memory");
#endif
}
// Arrives, and holds the phase open until `bytes` more have been copied.
__device__ __forceinline__ void arrive_expecting(uint64_t* barrier, uint32_t bytes) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes)
               : "memory");
#endif
}

// Returns when the phase of this parity has ended.
__device__ __forceinline__ void wait_for_phase(uint64_t* barrier, uint32_t parity) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  const uint32_t address = shared_address(barrier);
  uint32_t done = 0;
  while (!done) {
    asm volatile(
        "{ .reg .pred p;\n"
        "  mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "  selp.u32 %0, 1, 0, p; }"
        : "=r"(done)
        : "r"(address), "r"(parity)
        : "memory");
  }
#endif
}

// For what is read once: it shall not displace in L2 what will be read again.
__device__ __forceinline__ uint64_t policy_read_once() {
  uint64_t policy = 0;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
#endif
  return policy;
}

// Addresses and size in multiples of 16 bytes; the barrier counts the bytes.
__device__ __forceinline__ void copy_bulk(void* target, const void* source, uint32_t bytes, uint64_t* barrier,
                                          uint64_t policy) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], %2, [%3], %4;" ::"r"(
          shared_address(target)),
      "l"(source), "r"(bytes), "r"(shared_address(barrier)), "l"(policy)
      : "memory");
#endif
}

// Asks for memory to be in L2 soon. Address and size in multiples of 16 bytes.
__device__ __forceinline__ void bring_to_l2(const void* source, uint32_t bytes) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(source), "r"(bytes) : "memory");
#endif
}

// A ring of stages in shared memory between one warp that fills them and kConsumers warps that use them. Both sides
// count the stages in the same order.
struct Ring {
  char* stages;
  uint64_t *full, *empty;  // [count]
  int count, stage_bytes;
  int index = 0;
  uint32_t parity = 0;

  __device__ char* stage() const { return stages + index * stage_bytes; }
  __device__ Ring next() const {
    Ring ring = *this;
    ring.advance();
    return ring;
  }
  __device__ void advance() {
    if (++index == count) {
      index = 0;
      parity ^= 1;
    }
  }
  __device__ void advance(int stages) {
    for (index += stages; index >= count; index -= count) parity ^= 1;
  }
  // Until every user has left the stage. A new ring is empty.
  __device__ void wait_until_empty() const { wait_for_phase(empty + index, parity ^ 1); }
  __device__ void wait_until_full() const { wait_for_phase(full + index, parity); }
  // By every lane of a using warp, after its last read of kStages stages.
  template <int kStages = 1>
  __device__ void leave() {
    __syncwarp();
#pragma unroll
    for (int i = 0; i < kStages; ++i) {
      if (threadIdx.x % 32 == 0) arrive(empty + index);
      advance();
    }
  }
};

// The filling side of a ring. At most `most_on_the_way` stages are asked for at a time: more would only wait in front of
// the memory, and with them everything else that this and other multiprocessors ask for.
struct RingFiller {
  Ring ring, oldest;
  int most_on_the_way, on_the_way = 0;
  uint64_t policy = policy_read_once();

  __device__ RingFiller(const Ring& empty_ring, int most) : ring(empty_ring), oldest(empty_ring), most_on_the_way(most) {}

  // The next stage, empty, for `bytes` that the calling warp is about to copy; `full` receives its barrier.
  __device__ char* next(uint32_t bytes, uint64_t*& full) {
    if (on_the_way == most_on_the_way) {
      oldest.wait_until_full();
      oldest.advance();
    } else {
      ++on_the_way;
    }
    ring.wait_until_empty();
    full = ring.full + ring.index;
    char* const stage = ring.stage();
    if (threadIdx.x % 32 == 0) arrive_expecting(full, bytes);
    __syncwarp();
    ring.advance();
    return stage;
  }
};

}  // namespace limen
