// A decode step of one layer: rotates queries and keys, stores the new keys and values in their pages, and lets the
// queries attend to all keys: kvAppend and attentionDecodePaged in one launch.
//
// operand          shape         type            layout
// q                [B, H, D]     f32, f16, bf16  D contiguous, other axes at any stride; not written
// k, v             [B, K, D]     as q            likewise
// keyPages         [G, P, K, D]  as q            likewise: strides say whether a page is NHD or HND; written
// valuePages       [G, P, K, D]  as q            likewise; written; query head h uses key head h / (H/K)
// pageTable        [B, M]        i32             contiguous; entries of keys that are not seen are not read
// positions        [B]           i32             where the new token goes; negative: it is not stored
// lengths          [B]           i32             keys of each sequence, on the device; 0 gives zeros
// rotaryPositions  [B] or none   i32             default: positions
// prefixLengths    [N] or none   i32             B/N consecutive sequences share as many first keys, in the same pages
// y                [B, H, D]     as q            contiguous
// attributes: rotary (none | half | interleaved), base, rotaryDimensions (0: D), scale (0: 1/√D), window (0: all keys),
//   sinks, settledCache
//
// Ways: attention_append_kernel.cuh for 16-bit types, D ≤ 256 and 16-byte alignment; the two ops' own kernels otherwise.
// Workspace: none in the first way unless a row has more splits than a cluster blocks; else the rotated queries, and
// what attentionDecodePaged needs.

#include "kernels/attention_append_launch.cuh"

namespace limen {
namespace {

enum Operand { kQ, kK, kV, kKeyPages, kValuePages, kPageTable, kPositions, kLengths, kRotaryPositions, kPrefixLengths,
               kY };

AppendAttentionOperands operands_of(const OpCall& call) {
  const TensorView &rotary_positions = call.tensor(kRotaryPositions), &prefix = call.tensor(kPrefixLengths);
  return {{call.tensor(kQ), call.tensor(kKeyPages), call.tensor(kValuePages), call.tensor(kPageTable),
           call.tensor(kLengths), call.tensor(kY), nullptr, nullptr, prefix.present() ? &prefix : nullptr,
           static_cast<int>(8 * size_of(call.tensor(kKeyPages).dtype)), call.number(3), call.number(4), call.number(5)},
          call.tensor(kK), call.tensor(kV), call.tensor(kPositions), rotary_positions.present() ? &rotary_positions : nullptr,
          static_cast<int>(call.integer(0)), call.number(1), call.integer(2), call.flag(6)};
}

size_t workspace_of_attention_append_paged(const OpCall& call) {
  return workspace_of_append_attention(call, operands_of(call));
}

void launch_attention_append_paged(const OpCall& call) {
  const AppendAttentionOperands operands = operands_of(call);
  switch (operands.decode.q.dtype) {
    case DType::kF32:  // takes the separate ops
    case DType::kF16: return launch_append_attention<PagesF16>(call, operands);
    case DType::kBF16: return launch_append_attention<PagesBF16>(call, operands);
    default:
      throw OpError("UNSUPPORTED_DTYPE", std::string("attentionAppendPaged: q has an unsupported dtype: expected f32, "
                                                     "f16 or bf16, got ") + name_of(operands.decode.q.dtype) + ".");
  }
}

REGISTER_CUDA_OP(attention_append_paged, launch_attention_append_paged, workspace_of_attention_append_paged);

}  // namespace
}  // namespace limen
