// norm_conv2d: y = conv(scale(act(group_norm(x)))) + bias + residual, the norm and the doubling of the image folded into
// the convolution. Without a norm weight there is no norm.
//
// operand      shape            type            layout
// x            [B, H, W, C]     f32, f16, bf16  contiguous (channels last)
// norm_weight  [C]              as x            optional, with norm_bias
// norm_bias    [C]              as x
// weight       [O, KH, KW, C]   as x            contiguous
// bias         [O]              as x            optional
// residual     [B, OH, OW, O]   as x            optional; may be y
// y            [B, OH, OW, O]   as x            contiguous
// attributes: groups, epsilon, activation (none, silu), padding, scale (1, 2), constantWeight (the weight may be read
// before earlier kernels have ended)
//
// Launch: the statistics of group_norm.cuh, then conv2d_warpgroup.cuh where it applies. Elsewhere the normed image is
// written to the workspace and convolved by conv2d_tiles.cuh. In 16-bit types the normed image is rounded either way.

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "kernels/conv2d_tiles.cuh"
#include "kernels/conv2d_warpgroup_launch.cuh"
#include "kernels/group_norm.cuh"

namespace limen {
namespace {

enum Operand { kX, kNormWeight, kNormBias, kWeight, kBias, kResidual, kY };
enum Attribute { kGroups, kEpsilon, kActivation, kPadding, kScale, kConstantWeight };

ConvolutionCall convolution_of(const OpCall& call) {
  ConvolutionCall convolution;
  convolution.x = call.tensor(kX);
  convolution.weight = call.tensor(kWeight);
  convolution.bias = call.tensor(kBias);
  convolution.residual = call.tensor(kResidual);
  convolution.y = call.tensor(kY);
  convolution.padding = static_cast<int>(call.integer(kPadding));
  convolution.scale = static_cast<int>(call.integer(kScale));
  convolution.constant_weight = call.flag(kConstantWeight);
  convolution.stream = static_cast<cudaStream_t>(call.stream);
  return convolution;
}

template <typename T>
bool is_folded(const OpCall& call, const ConvolutionCall& convolution) {
  if constexpr (sizeof(T) == 2) {
    return warpgroups_apply<T>(convolution) && is_aligned16(call.tensor(kNormWeight).data) &&
           is_aligned16(call.tensor(kNormBias).data);
  }
  return false;
}

size_t bytes_of_statistics(const OpCall& call) {
  return (norm_workspace(call.tensor(kX), call.integer(kGroups)) + 255) / 256 * 256;
}

size_t workspace_of_norm_conv2d(const OpCall& call) {
  const TensorView& x = call.tensor(kX);
  if (x.size() == 0 || call.tensor(kY).size() == 0 || !call.tensor(kNormWeight).present()) return 0;
  bool folded = false;
  dispatch_float(x.dtype, "norm_conv2d", [&](auto tag) {
    folded = is_folded<typename decltype(tag)::type>(call, convolution_of(call));
  });
  return bytes_of_statistics(call) + (folded ? 0 : static_cast<size_t>(x.size()) * size_of(x.dtype));
}

template <typename T>
void launch_typed(const OpCall& call) {
  ConvolutionCall convolution = convolution_of(call);
  const TensorView &x = call.tensor(kX), &norm_weight = call.tensor(kNormWeight), &norm_bias = call.tensor(kNormBias);
  const bool folded = is_folded<T>(call, convolution), silu = call.integer(kActivation) == 1;
  const float2* moments = nullptr;
  if (norm_weight.present() && x.size() > 0) {
    void* const normed = folded ? nullptr : static_cast<char*>(call.workspace) + bytes_of_statistics(call);
    moments = launch_group_norm_passes<T>(x, norm_weight.data, norm_bias.data, normed, call.integer(kGroups),
                                          static_cast<float>(call.number(kEpsilon)), silu, call.workspace,
                                          convolution.stream);
    if (!folded) convolution.x.data = normed;
  }
  if constexpr (sizeof(T) == 2) {
    if (folded) {
      const ConvolutionNorm<T> norm = {moments, norm_weight.as<T>(), norm_bias.as<T>(),
                                       static_cast<int>(x.shape[3] / call.integer(kGroups)), silu};
      return launch_conv2d_warpgroup<T>(convolution, norm);
    }
  }
  launch_conv2d_tiles<T>(convolution);
}

void launch_norm_conv2d(const OpCall& call) {
  if (call.tensor(kY).size() == 0) return;
  dispatch_float(call.tensor(kX).dtype, "norm_conv2d",
                 [&](auto tag) { launch_typed<typename decltype(tag)::type>(call); });
}

REGISTER_CUDA_OP(norm_conv2d, launch_norm_conv2d, workspace_of_norm_conv2d);

}  // namespace
}  // namespace limen
