// y[b, oh, ow, o] = Σ x[b, oh·stride + kh − padding, ow·stride + kw − padding, c] · weight[o, kh, kw, c]
//                   + bias[o] + residual[b, oh, ow, o], accumulated in f32.
//
// operand   shape            type            layout
// x         [B, H, W, C]     f32, f16, bf16  contiguous (channels last)
// weight    [O, KH, KW, C]   as x            contiguous
// bias      [O]              as x            optional
// residual  [B, OH, OW, O]   as x            optional; may be y
// y         [B, OH, OW, O]   as x            contiguous
//
// Two ways: 3 × 3 with padding 1, stride 1 and C a multiple of 64 run on warpgroups where the device has them
// (conv2d_warpgroup.cuh), everything else on tiles (conv2d_tiles.cuh).

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "kernels/conv2d_tiles.cuh"
#include "kernels/conv2d_warpgroup_launch.cuh"

namespace limen {
namespace {

enum Operand { kX, kWeight, kBias, kResidual, kY };
enum Attribute { kStride, kPadding };

void launch_conv2d(const OpCall& call) {
  if (call.tensor(kY).size() == 0) return;
  ConvolutionCall convolution;
  convolution.x = call.tensor(kX);
  convolution.weight = call.tensor(kWeight);
  convolution.bias = call.tensor(kBias);
  convolution.residual = call.tensor(kResidual);
  convolution.y = call.tensor(kY);
  convolution.stride = static_cast<int>(call.integer(kStride));
  convolution.padding = static_cast<int>(call.integer(kPadding));
  convolution.stream = static_cast<cudaStream_t>(call.stream);
  dispatch_float(convolution.x.dtype, "conv2d", [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (sizeof(T) == 2) {
      if (warpgroups_apply<T>(convolution)) return launch_conv2d_warpgroup<T>(convolution, ConvolutionNorm<T>{});
    }
    launch_conv2d_tiles<T>(convolution);
  });
}

REGISTER_CUDA_OP(conv2d, launch_conv2d);

}  // namespace
}  // namespace limen
