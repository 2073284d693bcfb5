// cast: y = x in another element type.
//
//   x  [...]  any of f32 | f16 | bf16 | f8e4m3 | i32 | i8 | u8  contiguous, any alignment (16 bytes is fast)
//   y  [...]  any of the same, chosen by the dtype of y
//
// Launch: device/elementwise.cuh. Bound by memory. To a floating type: round to nearest even, f8e4m3 saturates at
// ±448. To an integer: truncate towards zero, saturate, NaN becomes 0. Values pass through f32, which every source
// type but i32 fits exactly; an i32 beyond 2^24 is rounded to nearest on its way to a floating type and saturates on
// its way to a smaller integer.

#include <cuda_fp8.h>

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/convert.cuh"
#include "device/elementwise.cuh"

namespace limen {
namespace {

template <typename X, typename Y>
struct Cast {
  __device__ Y operator()(X x) const { return from_float<Y>(to_float(x)); }
};
template <typename T>
struct Cast<T, T> {
  __device__ T operator()(T x) const { return x; }
};

template <typename Body>
void dispatch_any(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::kF32: return body(TypeTag<float>{});
    case DType::kF16: return body(TypeTag<__half>{});
    case DType::kBF16: return body(TypeTag<__nv_bfloat16>{});
    case DType::kF8E4M3: return body(TypeTag<__nv_fp8_e4m3>{});
    case DType::kI32: return body(TypeTag<int32_t>{});
    case DType::kI8: return body(TypeTag<int8_t>{});
    case DType::kU8: return body(TypeTag<uint8_t>{});
  }
  throw OpError("UNSUPPORTED_DTYPE", std::string("cast: unknown element type ") + name_of(dtype));
}

void launch_cast(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  const TensorView& y = call.tensor(1);
  dispatch_any(x.dtype, [&](auto from) {
    using X = typename decltype(from)::type;
    dispatch_any(y.dtype, [&](auto to) {
      using Y = typename decltype(to)::type;
      launch_map(static_cast<cudaStream_t>(call.stream), x.as<const X>(), y.as<Y>(), x.size(), Cast<X, Y>{});
    });
  });
}

}  // namespace

REGISTER_CUDA_OP(cast, launch_cast);

}  // namespace limen
