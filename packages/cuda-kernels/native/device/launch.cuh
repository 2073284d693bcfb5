// The one way heavy kernels are launched: explicit stream, shared memory above 48 KiB, and programmatic dependent
// launch, which lets a kernel start (and load its weights) while the one before it drains.

#pragma once

#include <cuda_runtime.h>

#include <map>
#include <utility>

#include "core/cuda_check.h"

namespace limen {

// Whether kernels that ask for it may overlap the kernel before them. It is safe because every block of a kernel
// launched with `overlap` calls wait_for_upstream(), before it touches anything that an earlier kernel writes or still
// reads: waiting for the kernel before is waiting for all before it, as that one has waited too. Only weights that the
// caller declares constant are read earlier.
inline constexpr bool kProgrammaticOverlap = true;

struct Launch {
  dim3 grid;
  dim3 block;
  size_t shared_bytes = 0;
  cudaStream_t stream = nullptr;
  bool overlap = false;  // the kernel calls wait_for_upstream()
  unsigned cluster = 1;  // blocks along x, at most 8, that share their shared memory (sm_90 and later)
  bool cooperative = false;  // all blocks run at once or none: they wait for each other
};

// Settings of a kernel that outlive a launch; made once for each kernel and device in a thread, because asking the driver
// takes longer than a launch may.
inline void prepare_kernel(const void* kernel, const Launch& launch) {
  thread_local std::map<std::pair<int, const void*>, size_t> prepared;
  int device = 0;
  LIMEN_CUDA_CHECK(cudaGetDevice(&device));
  const auto found = prepared.find({device, kernel});
  if (found != prepared.end() && found->second >= launch.shared_bytes) return;
  if (launch.shared_bytes > 48 * 1024) {
    LIMEN_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                          static_cast<int>(launch.shared_bytes)));
  }
  // Kernels that follow one another must agree on how L1 and shared memory are divided: a multiprocessor has to run
  // dry before it can change that, and then nothing overlaps.
  if (launch.overlap) {
    LIMEN_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                                          cudaSharedmemCarveoutMaxShared));
  }
  prepared[{device, kernel}] = launch.shared_bytes;
}

template <typename... Parameters, typename... Arguments>
void launch_kernel(const Launch& launch, void (*kernel)(Parameters...), Arguments&&... arguments) {
  prepare_kernel(reinterpret_cast<const void*>(kernel), launch);
  cudaLaunchConfig_t config = {};
  config.gridDim = launch.grid;
  config.blockDim = launch.block;
  config.dynamicSmemBytes = launch.shared_bytes;
  config.stream = launch.stream;
  cudaLaunchAttribute attributes[3] = {};
  config.attrs = attributes;
  if (kProgrammaticOverlap && launch.overlap) {
    cudaLaunchAttribute& attribute = attributes[config.numAttrs++];
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = 1;
  }
  if (launch.cooperative) {
    cudaLaunchAttribute& attribute = attributes[config.numAttrs++];
    attribute.id = cudaLaunchAttributeCooperative;
    attribute.val.cooperative = 1;
  }
  if (launch.cluster > 1) {
    cudaLaunchAttribute& attribute = attributes[config.numAttrs++];
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim = {launch.cluster, 1, 1};
  }
  LIMEN_CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(std::forward<Arguments>(arguments))...));
}

// Device side: returns when everything launched before is complete and visible. No effect without the attribute.
__device__ __forceinline__ void wait_for_upstream() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  if constexpr (kProgrammaticOverlap) asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
// Device side: the next kernel may be scheduled as soon as every block has come here.
__device__ __forceinline__ void let_downstream_start() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  if constexpr (kProgrammaticOverlap) asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

constexpr int64_t ceil_div(int64_t value, int64_t divisor) { return (value + divisor - 1) / divisor; }

}  // namespace limen
