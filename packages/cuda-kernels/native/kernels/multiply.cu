// multiply: y = a · b, elementwise; b repeats over the leading axes of a.
//
//   a  [..., S]  f32 | f16 | bf16  contiguous, any alignment (16 bytes is fast)
//   b  [S]       dtype of a; its shape S is any suffix of a's shape, also all of it or none of it (one number)
//   y  [..., S]  dtype of a; may be a itself
//
// Launch: device/elementwise.cuh. Bound by memory. The product is taken in f32 and rounded once.

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/convert.cuh"
#include "device/elementwise.cuh"

namespace limen {
namespace {

template <typename T>
struct Multiply {
  __device__ T operator()(T a, T b) const { return from_float<T>(to_float(a) * to_float(b)); }
};

void launch_multiply(const OpCall& call) {
  const TensorView& a = call.tensor(0);
  const TensorView& b = call.tensor(1);
  const TensorView& y = call.tensor(2);
  dispatch_float(a.dtype, "multiply", [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch_zip(static_cast<cudaStream_t>(call.stream), a.as<const T>(), b.as<const T>(), y.as<T>(), a.size(), b.size(),
               Multiply<T>{});
  });
}

}  // namespace

REGISTER_CUDA_OP(multiply, launch_multiply);

}  // namespace limen
