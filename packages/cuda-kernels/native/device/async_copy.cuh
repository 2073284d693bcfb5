// Copies from global to shared memory that run in the background (cp.async, sm_80 and later).

#pragma once

#include <cstdint>

namespace limen {

__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// Sixteen bytes past L1. When `valid` is false nothing is read and zeros are written; `source` must still be a
// mapped address. Both addresses must be 16-byte aligned.
__device__ __forceinline__ void copy_async16(void* target, const void* source, bool valid) {
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(target)), "l"(source), "r"(bytes)
               : "memory");
}

// Four bytes, through L1; `valid` as above. Both addresses must be 4-byte aligned.
__device__ __forceinline__ void copy_async4(void* target, const void* source, bool valid) {
  const int bytes = valid ? 4 : 0;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(target)), "l"(source), "r"(bytes)
               : "memory");
}

// Closes the group of copies issued since the last call, possibly none.
__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most kPending groups of this thread are still on the way. A barrier must follow before other
// threads read what this one has copied.
template <int kPending>
__device__ __forceinline__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

}  // namespace limen
