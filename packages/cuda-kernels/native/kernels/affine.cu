// affine: y = scale · x + offset with two numbers, elementwise.
//
//   x  [...]  f32 | f16 | bf16 | i32  contiguous, any alignment (16 bytes is fast)
//   y  [...]  dtype of x; may be x itself
//
// Launch: device/elementwise.cuh. Bound by memory. Floats are computed in f32 and rounded once; i32 in f64, truncated
// towards zero and saturated, so that counters and positions advance exactly.

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/convert.cuh"
#include "device/elementwise.cuh"

namespace limen {
namespace {

template <typename T>
struct Affine {
  float scale;
  float offset;
  __device__ T operator()(T x) const { return from_float<T>(fmaf(to_float(x), scale, offset)); }
};

struct AffineInteger {
  double scale;
  double offset;
  __device__ int32_t operator()(int32_t x) const { return __double2int_rz(fma(static_cast<double>(x), scale, offset)); }
};

void launch_affine(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  const TensorView& y = call.tensor(1);
  const cudaStream_t stream = static_cast<cudaStream_t>(call.stream);
  const double scale = call.number(0);
  const double offset = call.number(1);
  if (x.dtype == DType::kI32) {
    launch_map(stream, x.as<const int32_t>(), y.as<int32_t>(), x.size(), AffineInteger{scale, offset});
    return;
  }
  dispatch_float(x.dtype, "affine", [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch_map(stream, x.as<const T>(), y.as<T>(), x.size(),
               Affine<T>{static_cast<float>(scale), static_cast<float>(offset)});
  });
}

}  // namespace

REGISTER_CUDA_OP(affine, launch_affine);

}  // namespace limen
