// What the CPU launchers share: type checks, row counts, and the linear layer that a 1×1 convolution is too.

#pragma once

#include <algorithm>
#include <string>

#include "core/op_registry.h"
#include "core/thread_pool.h"
#include "cpu/scratch.h"
#include "cpu/simd/kernels.h"

namespace limen::cpu {

inline void require_type(const OpCall& call, const char* argument, const TensorView& tensor, DType expected) {
  if (!tensor.present() || tensor.dtype == expected) return;
  throw OpError("UNSUPPORTED_DTYPE", std::string(call.name) + ": " + argument + " has the wrong dtype: expected " +
                                         name_of(expected) + ", got " + name_of(tensor.dtype));
}

inline void require_float(const OpCall& call, const char* argument, const TensorView& tensor) {
  if (tensor.dtype == DType::kF32 || tensor.dtype == DType::kF16 || tensor.dtype == DType::kBF16) return;
  throw OpError("UNSUPPORTED_DTYPE", std::string(call.name) + ": " + argument +
                                         " has the wrong dtype: expected f32, f16 or bf16, got " +
                                         name_of(tensor.dtype));
}

// Items per piece so that a piece is worth some 20 microseconds, for items of `operations` multiply-adds.
inline int64_t grain_of(int64_t operations, int64_t multiple = 1) {
  constexpr int64_t kPieceOperations = 1 << 19;
  return ceil_divide(std::max<int64_t>(1, kPieceOperations / std::max<int64_t>(1, operations)), multiple) * multiple;
}

// Bytes of scratch for run_linear. `x_type` is the type of x in memory.
size_t linear_workspace(int64_t rows, int64_t depth, DType x_type);

// y = activation(x · Wᵀ · scales + bias) + residual for x[rows][depth]; `task.x` is set here.
void run_linear(LinearTask task, int64_t rows, const void* x, DType x_type, void* workspace);

}  // namespace limen::cpu
