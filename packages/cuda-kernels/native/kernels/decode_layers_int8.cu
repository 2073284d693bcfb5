// decode_layers with one signed byte per weight.
//
// operand              shape      type  layout
// x … rotaryPositions             as decode_layers, but for the four weights: i8
// queryKeyValueScales  [L, 3·H·D] f32   contiguous
// outputScales         [L, C]     f32   contiguous
// gateUpScales         [L, 2·F]   f32   contiguous
// downScales           [L, C]     f32   contiguous
// y                    [B, C]     bf16  contiguous
// attributes: epsilon, base

#include "kernels/decode_layers_launch.cuh"

namespace limen {
namespace {

LayersOperands operands_of(const OpCall& call) {
  const auto t = [&](int index) -> const TensorView& { return call.tensor(index); };
  return {t(0),  t(1),  t(2),  t(3),   t(4),   t(5),   t(6),   t(7),   t(8),           t(9),
          t(10), t(12), t(11), t(17), &t(13), &t(14), &t(15), &t(16), call.number(0), call.number(1)};
}

size_t workspace_of_decode_layers_int8(const OpCall& call) { return workspace_of_layers(operands_of(call)); }

void launch_decode_layers_int8(const OpCall& call) { launch_decode_layers<int8_t>(call, operands_of(call)); }

REGISTER_CUDA_OP(decode_layers_int8, launch_decode_layers_int8, workspace_of_decode_layers_int8);

}  // namespace
}  // namespace limen
