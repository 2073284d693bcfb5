// A barrier for the first threads of a block only, so that its other warps may go on.

#pragma once

namespace limen {

// By the first kThreads threads, all of them.
template <int kThreads>
__device__ __forceinline__ void sync_threads_below() {
  asm volatile("bar.sync 1, %0;" ::"n"(kThreads) : "memory");
}

}  // namespace limen
