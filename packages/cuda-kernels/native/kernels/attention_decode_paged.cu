// y = softmax(scale · q kᵀ) v for one query per sequence, keys and values in pages.
//
// operand        shape         type            layout
// q              [B, H, D]     f32, f16, bf16  D contiguous, other axes at any stride
// keyPages       [G, P, K, D]  as q            likewise: strides say whether a page is NHD or HND
// valuePages     [G, P, K, D]  as q            likewise; query head h uses key head h / (H/K)
// pageTable      [B, M]        i32             contiguous; entries of keys that are not seen are not read
// lengths        [B]           i32             keys of each sequence, on the device; 0 gives zeros
// prefixLengths  [N] or none   i32             B/N consecutive sequences share as many first keys, in the same pages
// y              [B, H, D]     as q            contiguous
// attributes: scale (0: 1/√D), window (0: all keys), sinks
//
// Two ways: attention_decode_tensor.cuh (16-bit types, D ≤ 256, 16-byte alignment) and attention_decode_plain.cuh
// (anything else). attention_decode_launch.cuh chooses.
// Workspace: none, or B · H · splits · (D + 2) floats where splits do not fit a cluster.

#include "kernels/attention_decode_launch.cuh"
#include "kernels/attention_decode_prefix_launch.cuh"

namespace limen {
namespace {

enum Operand { kQ, kKeyPages, kValuePages, kPageTable, kLengths, kPrefixLengths, kY };

DecodeOperands operands_of(const OpCall& call) {
  const TensorView& prefix = call.tensor(kPrefixLengths);
  return {call.tensor(kQ), call.tensor(kKeyPages), call.tensor(kValuePages), call.tensor(kPageTable),
          call.tensor(kLengths), call.tensor(kY), nullptr, nullptr, prefix.present() ? &prefix : nullptr,
          static_cast<int>(8 * size_of(call.tensor(kKeyPages).dtype)), call.number(0), call.number(1), call.number(2)};
}

size_t workspace_of_attention_decode_paged(const OpCall& call) { return workspace_of_decode(operands_of(call)); }

void launch_attention_decode_paged(const OpCall& call) {
  const DecodeOperands operands = operands_of(call);
  switch (operands.q.dtype) {
    case DType::kF32: return launch_decode(call, operands, StorageFormat::kF32, [](const DecodeArguments&, cudaStream_t) {});
    case DType::kF16: return launch_decode(call, operands, StorageFormat::kF16, launch_decode_tensor<PagesF16>);
    case DType::kBF16: return launch_decode(call, operands, StorageFormat::kBF16, launch_decode_tensor<PagesBF16>);
    default:
      throw OpError("UNSUPPORTED_DTYPE", std::string("attentionDecodePaged: q has an unsupported dtype: expected f32, "
                                                     "f16 or bf16, got ") + name_of(operands.q.dtype) + ".");
  }
}

REGISTER_CUDA_OP(attention_decode_paged, launch_attention_decode_paged, workspace_of_attention_decode_paged);

}  // namespace
}  // namespace limen
