// Makes a device current on the calling thread. Every CUDA call of the binding begins with it.

#pragma once

#include "core/cuda_check.h"

namespace limen {

inline void use_device(int device) {
  int current = -1;
  if (cudaGetDevice(&current) == cudaSuccess && current == device) return;
  LIMEN_CUDA_CHECK(cudaSetDevice(device));
}

// For what is released late: when the process leaves, the CUDA runtime may be gone before, and that is fine.
inline void check_release(cudaError_t status, const char* call, const char* file, int line) {
  if (status != cudaErrorCudartUnloading) check_cuda(status, call, file, line);
}

inline bool is_capturing(cudaStream_t stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  LIMEN_CUDA_CHECK(cudaStreamIsCapturing(stream, &status));
  return status != cudaStreamCaptureStatusNone;
}

// While this thread captures, CUDA refuses calls that could disturb the capture, and spoils it. Allocating is
// not one of them in truth: nothing of it belongs to the graph.
class RelaxedCapture {
 public:
  RelaxedCapture() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  ~RelaxedCapture() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  RelaxedCapture(const RelaxedCapture&) = delete;
  RelaxedCapture& operator=(const RelaxedCapture&) = delete;

 private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

}  // namespace limen

#define LIMEN_CHECK_RELEASE(call) ::limen::check_release((call), #call, __FILE__, __LINE__)
