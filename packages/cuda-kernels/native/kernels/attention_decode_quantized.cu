// y = softmax(scale · q kᵀ) v for one query per sequence, keys and values in pages of a scaled format.
//
// operand                 shape         type            layout
// q                       [B, H, D]     f32, f16, bf16  D contiguous, other axes at any stride
// keyPages, valuePages    [G, P, K, E]  f8e4m3, i8, u8  last axis contiguous, others at any stride; u8: E = D/2
// keyScales, valueScales  [G, P, K, S]  f32, f16 (u8)   likewise; S = 1: factor; S = 2: factor and lowest value
// pageTable               [B, M]        i32             contiguous; entries of keys that are not seen are not read
// lengths                 [B]           i32             keys of each sequence, on the device; 0 gives zeros
// prefixLengths           [N] or none   i32             B/N consecutive sequences share as many first keys
// y                       [B, H, D]     as q            contiguous
// attributes: scale (0: 1/√D), window (0: all keys), sinks
//
// Ways and workspace as in attention_decode_paged.cu; f32 queries take the plain way.

#include "kernels/attention_decode_launch.cuh"

namespace limen {
namespace {

enum Operand { kQ, kKeyPages, kValuePages, kKeyScales, kValueScales, kPageTable, kLengths, kPrefixLengths, kY };

DecodeOperands operands_of(const OpCall& call) {
  const TensorView& prefix = call.tensor(kPrefixLengths);
  return {call.tensor(kQ), call.tensor(kKeyPages), call.tensor(kValuePages), call.tensor(kPageTable),
          call.tensor(kLengths), call.tensor(kY), &call.tensor(kKeyScales), &call.tensor(kValueScales),
          prefix.present() ? &prefix : nullptr, call.tensor(kKeyPages).dtype == DType::kU8 ? 4 : 8, call.number(0),
          call.number(1), call.number(2)};
}

size_t workspace_of_attention_decode_quantized(const OpCall& call) { return workspace_of_decode(operands_of(call)); }

void launch_attention_decode_quantized(const OpCall& call) {
  const DecodeOperands operands = operands_of(call);
  switch (operands.keys.dtype) {
    case DType::kF8E4M3: return launch_decode(call, operands, StorageFormat::kFp8, launch_decode_tensor<PagesFp8>);
    case DType::kI8: return launch_decode(call, operands, StorageFormat::kInt8, launch_decode_tensor<PagesInt8>);
    case DType::kU8: return launch_decode(call, operands, StorageFormat::kInt4, launch_decode_tensor<PagesInt4>);
    default:
      throw OpError("UNSUPPORTED_DTYPE", std::string("attentionDecodeQuantized: keyPages has an unsupported dtype: expected "
                                                     "f8e4m3, i8 or u8, got ") + name_of(operands.keys.dtype) + ".");
  }
}

REGISTER_CUDA_OP(attention_decode_quantized, launch_attention_decode_quantized, workspace_of_attention_decode_quantized);

}  // namespace
}  // namespace limen
