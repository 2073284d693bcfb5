// One token of every sequence through all layers of a Llama decoder, in one launch.
//
// operand         shape                 type  layout
// x               [B, C]                bf16  contiguous
// attentionNorm   [L, C]                bf16  contiguous
// queryKeyValue   [L, 3·H·D, C]         bf16  contiguous: queries, keys, values
// output          [L, C, H·D]           bf16  contiguous
// mlpNorm         [L, C]                bf16  contiguous
// gateUp          [L, 2·F, C]           bf16  contiguous: gates, ups
// down            [L, C, F]             bf16  contiguous
// keyPages        [L, G, P, H, D]       bf16  D contiguous, other axes at any stride; written
// valuePages      [L, G, P, H, D]       bf16  likewise
// pageTable       [B, M]                i32   contiguous
// positions       [B]                   i32   contiguous; negative: the token is not stored
// lengths         [B]                   i32   contiguous; keys that the token sees, itself included
// rotaryPositions [B]                   i32   contiguous; optional: positions
// y               [B, C]                bf16  contiguous
// attributes: epsilon, base
//
// Two ways: stream (decode_layers_common.cuh) on sm_90 and later, for up to 32 rows, D of 32 or 128 and sizes of whole
// 128-byte blocks; plain (decode_layers_plain.cuh) for everything else.
// Workspace: what blocks pass to one another, of up to eight layers at a time.

#include "kernels/decode_layers_launch.cuh"

namespace limen {
namespace {

LayersOperands operands_of(const OpCall& call) {
  const auto t = [&](int index) -> const TensorView& { return call.tensor(index); };
  return {t(0), t(1), t(2), t(3), t(4),  t(5),    t(6),    t(7),    t(8),           t(9),
          t(10), t(12), t(11), t(13), nullptr, nullptr, nullptr, nullptr, call.number(0), call.number(1)};
}

size_t workspace_of_decode_layers(const OpCall& call) { return workspace_of_layers(operands_of(call)); }

void launch_decode_layers_op(const OpCall& call) { launch_decode_layers<__nv_bfloat16>(call, operands_of(call)); }

REGISTER_CUDA_OP(decode_layers, launch_decode_layers_op, workspace_of_decode_layers);

}  // namespace
}  // namespace limen
