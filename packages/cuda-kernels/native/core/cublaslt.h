// cuBLASLt, opened at run time where the machine has it. Large products go through it; without it, or with
// LIMEN_CUBLASLT=off in the environment, the kernels in kernels/linear_gemm.cuh take over.

#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "dtype.h"

namespace limen {

// Opens the library on the first call. Never throws.
bool cublaslt_available();

// Scratch memory that every call of cublaslt_linear may use.
inline constexpr size_t kCublasLtWorkspaceBytes = size_t{32} << 20;

// y[rows, columns] = x[rows, length] · weight[columns, length]ᵀ (+ bias[columns]) (+ residual[rows, columns]), all
// row-major and of one type (f32, f16, bf16), all pointers 16-byte aligned, accumulated in f32 (never TF32).
// residual may be y.
struct LinearProduct {
  DType dtype = DType::kF32;
  const void* x = nullptr;
  const void* weight = nullptr;
  const void* bias = nullptr;
  const void* residual = nullptr;
  void* y = nullptr;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t length = 0;
};

// Enqueues the product. Returns false, having enqueued nothing, when the library offers no algorithm for the shape.
// Throws OpError when the library is there but the call fails.
bool cublaslt_linear(const LinearProduct& product, void* workspace, size_t workspace_bytes, cudaStream_t stream);

}  // namespace limen
