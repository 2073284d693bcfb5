// Rotates the queries and keys of new tokens and writes keys and values into their pages.
//
// operand          shape         type            layout
// k, v             [B, T, K, D]  f32, f16, bf16  D contiguous, other axes at any stride
// keyPages         [G, P, K, D]  as k            likewise; written
// valuePages       [G, P, K, D]  as k            likewise; written
// pageTable        [B, M]        i32             contiguous
// positions        [B, T]        i32             contiguous; negative: the token is not stored
// q                [B, T, H, D]  as k            as k; optional; rotated where it is
// rotaryPositions  [B, T]        i32             contiguous; optional: positions
// attributes: rotary (none | half | interleaved), base, rotaryDimensions (0: D)
//
// The token at position p of sequence b goes to page pageTable[b, p / P], slot p % P. A position past M·P or a page
// outside [0, G) is skipped too: the kernel never writes outside the pool. D ≤ 256. Geometry: kv_append_common.cuh.

#include "kernels/kv_append_common.cuh"

namespace limen {
namespace {

enum Operand { kK, kV, kKeyPages, kValuePages, kPageTable, kPositions, kQ, kRotaryPositions };

void launch_kv_append(const OpCall& call) {
  const auto optional = [&](Operand operand) { return call.tensor(operand).present() ? &call.tensor(operand) : nullptr; };
  const AppendOperands o = {call.tensor(kK), call.tensor(kV), call.tensor(kKeyPages), call.tensor(kValuePages),
                            call.tensor(kPageTable), call.tensor(kPositions), nullptr, nullptr, optional(kQ),
                            optional(kRotaryPositions), static_cast<int>(call.integer(0)), call.number(1), call.integer(2)};
  if (append_is_empty("kvAppend", o)) return;
  switch (o.k.dtype) {
    case DType::kF32: return launch_append_typed<StorageFormat::kF32, float>(call, o);
    case DType::kF16: return launch_append_typed<StorageFormat::kF16, __half>(call, o);
    case DType::kBF16: return launch_append_typed<StorageFormat::kBF16, __nv_bfloat16>(call, o);
    default:
      throw OpError("UNSUPPORTED_DTYPE", std::string("kvAppend: k has an unsupported dtype: expected f32, f16 or bf16, got ") +
                                             name_of(o.k.dtype) + ".");
  }
}

REGISTER_CUDA_OP(kv_append, launch_kv_append);

}  // namespace
}  // namespace limen
