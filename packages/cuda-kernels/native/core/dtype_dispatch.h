// From a dtype value to a template parameter, for CUDA code.

#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <string>

#include "dtype.h"
#include "op_error.h"

namespace limen {

template <typename T>
struct TypeTag {
  using type = T;
};

// dispatch_float(x.dtype, "rms_norm", [&](auto tag) { using T = typename decltype(tag)::type; ... });
template <typename Body>
void dispatch_float(DType dtype, const char* op, Body&& body) {
  switch (dtype) {
    case DType::kF32: return body(TypeTag<float>{});
    case DType::kF16: return body(TypeTag<__half>{});
    case DType::kBF16: return body(TypeTag<__nv_bfloat16>{});
    default:
      throw OpError("UNSUPPORTED_DTYPE", std::string(op) + ": expected f32, f16 or bf16, got " + name_of(dtype));
  }
}

}  // namespace limen
