// Turns a CUDA status into an OpError that names the call, the kernel and the place.

#pragma once

#include <cuda_runtime_api.h>

#include <string>

#include "op_error.h"

namespace limen {

inline void check_cuda(cudaError_t status, const char* what, const char* file, int line) {
  if (status == cudaSuccess) return;
  throw OpError(std::string("CUDA_") + cudaGetErrorName(status),
                std::string(what) + ": " + cudaGetErrorString(status) + " (" + file + ":" + std::to_string(line) + ")");
}

}  // namespace limen

#define LIMEN_CUDA_CHECK(call) ::limen::check_cuda((call), #call, __FILE__, __LINE__)
// After a kernel launch: reports a refused launch (geometry, shared memory); faults inside the kernel surface later.
#define LIMEN_CHECK_LAUNCH(kernel) ::limen::check_cuda(cudaGetLastError(), #kernel, __FILE__, __LINE__)
