// gelu: y = x · Φ(x), elementwise, with the exact error function or its tanh approximation.
//
//   x  [...]  f32 | f16 | bf16  contiguous, any alignment (16 bytes is fast)
//   y  [...]  dtype of x; may be x itself
//   approximation  0 none (erf), 1 tanh
//
// Launch: device/elementwise.cuh. Bound by memory, near the arithmetic limit with erf on 16-bit types.
// Source: https://arxiv.org/abs/1606.08415

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/activation.cuh"
#include "device/convert.cuh"
#include "device/elementwise.cuh"

namespace limen {
namespace {

template <typename T>
struct GeluExact {
  __device__ T operator()(T x) const { return from_float<T>(gelu_exact(to_float(x))); }
};

template <typename T>
struct GeluTanh {
  __device__ T operator()(T x) const { return from_float<T>(gelu_tanh<T>(to_float(x))); }
};

void launch_gelu(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  const TensorView& y = call.tensor(1);
  const cudaStream_t stream = static_cast<cudaStream_t>(call.stream);
  const bool approximate = call.integer(0) == 1;
  dispatch_float(x.dtype, "gelu", [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (approximate) {
      launch_map(stream, x.as<const T>(), y.as<T>(), x.size(), GeluTanh<T>{});
    } else {
      launch_map(stream, x.as<const T>(), y.as<T>(), x.size(), GeluExact<T>{});
    }
  });
}

}  // namespace

REGISTER_CUDA_OP(gelu, launch_gelu);

}  // namespace limen
