// silu: y = x · sigmoid(x), elementwise.
//
//   x  [...]  f32 | f16 | bf16  contiguous, any alignment (16 bytes is fast)
//   y  [...]  dtype of x; may be x itself
//
// Launch: device/elementwise.cuh. Bound by memory: reads and writes each element once.
// Source: https://arxiv.org/abs/1606.08415, https://arxiv.org/abs/1702.03118

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/activation.cuh"
#include "device/convert.cuh"
#include "device/elementwise.cuh"

namespace limen {
namespace {

template <typename T>
struct Silu {
  __device__ T operator()(T x) const { return from_float<T>(silu<T>(to_float(x))); }
};

void launch_silu(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  const TensorView& y = call.tensor(1);
  dispatch_float(x.dtype, "silu", [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch_map(static_cast<cudaStream_t>(call.stream), x.as<const T>(), y.as<T>(), x.size(), Silu<T>{});
  });
}

}  // namespace

REGISTER_CUDA_OP(silu, launch_silu);

}  // namespace limen
