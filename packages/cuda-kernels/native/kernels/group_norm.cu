// group_norm: y = act((x − mean) / √(variance + eps) · weight + bias), statistics per image over all pixels and the
// C / G neighbouring channels of a group; act is nothing or silu.
//
//   x       [B, H, W, C]  f32 | f16 | bf16  contiguous, channels last, any alignment (16 bytes is fast)
//   weight  [C]           dtype of x
//   bias    [C]           dtype of x
//   y       [B, H, W, C]  dtype of x; may be x itself
//
// Launch: three passes, group_norm.cuh. Bound by memory: x is read twice, the second time often from L2. Channels that do
// not form whole vectors take a slower scalar path. Before a convolution the norm is folded into it: norm_conv2d.cu.
// Source: https://arxiv.org/abs/1803.08494

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "kernels/group_norm.cuh"

namespace limen {
namespace {

size_t workspace_of_group_norm(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  return x.size() == 0 ? 0 : norm_workspace(x, call.integer(0));
}

void launch_group_norm(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  if (x.size() == 0) return;
  dispatch_float(x.dtype, "group_norm", [&](auto tag) {
    launch_group_norm_passes<typename decltype(tag)::type>(
        x, call.tensor(1).data, call.tensor(2).data, call.tensor(3).data, call.integer(0),
        static_cast<float>(call.number(1)), call.integer(2) == 1, call.workspace,
        static_cast<cudaStream_t>(call.stream));
  });
}

}  // namespace

REGISTER_CUDA_OP(group_norm, launch_group_norm, workspace_of_group_norm);

}  // namespace limen
