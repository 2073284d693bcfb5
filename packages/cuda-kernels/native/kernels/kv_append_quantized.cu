// Rotates the queries and keys of new tokens and writes keys and values into pages of a scaled format.
//
// operand                 shape         type            layout
// k, v                    [B, T, K, D]  f32, f16, bf16  D contiguous, other axes at any stride
// keyPages, valuePages    [G, P, K, E]  f8e4m3, i8, u8  last axis contiguous, others at any stride; u8: E = D/2; written
// keyScales, valueScales  [G, P, K, S]  f32, f16 (u8)   likewise; S = 1: factor; S = 2: factor and lowest value; written
// pageTable               [B, M]        i32             contiguous
// positions               [B, T]        i32             contiguous; negative: the token is not stored
// q                       [B, T, H, D]  as k            as k; optional; rotated where it is
// rotaryPositions         [B, T]        i32             contiguous; optional: positions
// attributes: rotary (none | half | interleaved), base, rotaryDimensions (0: D)
//
// One scale for each token and head, from the largest magnitude (int4: the range) of its vector, which is a reduction
// over the lanes that hold it. D ≤ 256. Geometry: kv_append_common.cuh; arithmetic: device/storage_format.cuh.

#include "core/dtype_dispatch.h"
#include "kernels/kv_append_common.cuh"

namespace limen {
namespace {

enum Operand { kK, kV, kKeyPages, kValuePages, kKeyScales, kValueScales, kPageTable, kPositions, kQ, kRotaryPositions };

void launch_kv_append_quantized(const OpCall& call) {
  const auto optional = [&](Operand operand) { return call.tensor(operand).present() ? &call.tensor(operand) : nullptr; };
  const AppendOperands o = {call.tensor(kK), call.tensor(kV), call.tensor(kKeyPages), call.tensor(kValuePages),
                            call.tensor(kPageTable), call.tensor(kPositions), &call.tensor(kKeyScales),
                            &call.tensor(kValueScales), optional(kQ), optional(kRotaryPositions),
                            static_cast<int>(call.integer(0)), call.number(1), call.integer(2)};
  if (append_is_empty("kvAppendQuantized", o)) return;
  dispatch_float(o.k.dtype, "kvAppendQuantized", [&](auto tag) {
    using T = typename decltype(tag)::type;
    switch (o.keys.dtype) {
      case DType::kF8E4M3: return launch_append_typed<StorageFormat::kFp8, T>(call, o);
      case DType::kI8: return launch_append_typed<StorageFormat::kInt8, T>(call, o);
      case DType::kU8: return launch_append_typed<StorageFormat::kInt4, T>(call, o);
      default:
        throw OpError("UNSUPPORTED_DTYPE", std::string("kvAppendQuantized: keyPages has an unsupported dtype: expected "
                                                       "f8e4m3, i8 or u8, got ") + name_of(o.keys.dtype) + ".");
    }
  });
}

REGISTER_CUDA_OP(kv_append_quantized, launch_kv_append_quantized);

}  // namespace
}  // namespace limen
