// A decode step of one layer over pages of a scaled format: kvAppendQuantized and attentionDecodeQuantized in one launch.
//
// operand                 shape         type            layout
// q                       [B, H, D]     f32, f16, bf16  D contiguous, other axes at any stride; not written
// k, v                    [B, K, D]     as q            likewise
// keyPages, valuePages    [G, P, K, E]  f8e4m3, i8, u8  last axis contiguous, others at any stride; u8: E = D/2; written
// keyScales, valueScales  [G, P, K, S]  f32, f16 (u8)   likewise; S = 1: factor; S = 2: factor and lowest value; written
// pageTable               [B, M]        i32             contiguous; entries of keys that are not seen are not read
// positions               [B]           i32             where the new token goes; negative: it is not stored
// lengths                 [B]           i32             keys of each sequence, on the device; 0 gives zeros
// rotaryPositions         [B] or none   i32             default: positions
// prefixLengths           [N] or none   i32             B/N consecutive sequences share as many first keys
// y                       [B, H, D]     as q            contiguous
// attributes: rotary (none | half | interleaved), base, rotaryDimensions (0: D), scale (0: 1/√D), window (0: all keys),
//   sinks, settledCache
//
// Ways and workspace as in attention_append_paged.cu; f32 queries take the two ops' own kernels.

#include "kernels/attention_append_launch.cuh"

namespace limen {
namespace {

enum Operand {
  kQ, kK, kV, kKeyPages, kValuePages, kKeyScales, kValueScales, kPageTable, kPositions, kLengths, kRotaryPositions,
  kPrefixLengths, kY
};

AppendAttentionOperands operands_of(const OpCall& call) {
  const TensorView &rotary_positions = call.tensor(kRotaryPositions), &prefix = call.tensor(kPrefixLengths);
  return {{call.tensor(kQ), call.tensor(kKeyPages), call.tensor(kValuePages), call.tensor(kPageTable),
           call.tensor(kLengths), call.tensor(kY), &call.tensor(kKeyScales), &call.tensor(kValueScales),
           prefix.present() ? &prefix : nullptr, call.tensor(kKeyPages).dtype == DType::kU8 ? 4 : 8, call.number(3),
           call.number(4), call.number(5)},
          call.tensor(kK), call.tensor(kV), call.tensor(kPositions), rotary_positions.present() ? &rotary_positions : nullptr,
          static_cast<int>(call.integer(0)), call.number(1), call.integer(2), call.flag(6)};
}

size_t workspace_of_attention_append_quantized(const OpCall& call) {
  return workspace_of_append_attention(call, operands_of(call));
}

void launch_attention_append_quantized(const OpCall& call) {
  const AppendAttentionOperands operands = operands_of(call);
  switch (operands.decode.keys.dtype) {
    case DType::kF8E4M3: return launch_append_attention<PagesFp8>(call, operands);
    case DType::kI8: return launch_append_attention<PagesInt8>(call, operands);
    case DType::kU8: return launch_append_attention<PagesInt4>(call, operands);
    default:
      throw OpError("UNSUPPORTED_DTYPE", std::string("attentionAppendQuantized: keyPages has an unsupported dtype: expected "
                                                     "f8e4m3, i8 or u8, got ") + name_of(operands.decode.keys.dtype) + ".");
  }
}

REGISTER_CUDA_OP(attention_append_quantized, launch_attention_append_quantized, workspace_of_attention_append_quantized);

}  // namespace
}  // namespace limen
