// guidance_mix: y = u + weight · (c − u), the mix of conditional and unconditional logits.
//
//   conditional    c [B, V]  f32 | f16 | bf16  contiguous, any alignment (16 bytes is fast)
//   unconditional  u [B, V]  dtype of c
//   y                [B, V]  dtype of c; may be c itself
//
// Launch: device/elementwise.cuh. Bound by memory. f32 arithmetic, one rounding at the end.
// Source: https://arxiv.org/abs/2207.12598

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/convert.cuh"
#include "device/elementwise.cuh"

namespace limen {
namespace {

template <typename T>
struct GuidanceMix {
  float weight;
  __device__ T operator()(T conditional, T unconditional) const {
    const float base = to_float(unconditional);
    return from_float<T>(fmaf(weight, to_float(conditional) - base, base));
  }
};

void launch_guidance_mix(const OpCall& call) {
  const TensorView& conditional = call.tensor(0);
  const TensorView& unconditional = call.tensor(1);
  const TensorView& y = call.tensor(2);
  const float weight = static_cast<float>(call.number(0));
  dispatch_float(conditional.dtype, "guidance_mix", [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch_zip(static_cast<cudaStream_t>(call.stream), conditional.as<const T>(), unconditional.as<const T>(),
               y.as<T>(), y.size(), y.size(), GuidanceMix<T>{weight});
  });
}

}  // namespace

REGISTER_CUDA_OP(guidance_mix, launch_guidance_mix);

}  // namespace limen
