// kv_append_quantized on the CPU: rotates the queries and keys of new tokens and writes keys and values into pages of a
// scaled format.
//
//   k, v  [B, T, K, D]  last axis contiguous, f32 | f16 | bf16
//   keyPages, valuePages  [G, P, K, E]  likewise, f8e4m3 | i8 | u8 (int4, E = D/2); written
//   keyScales, valueScales  [G, P, K, S]  f32 and S = 1, or f16 and S = 2; written
//   pageTable  i32 [B, M]   positions  i32 [B, T]: negative ones are not stored
//   q?  [B, T, H, D]  rotated where it is   rotaryPositions?  i32 [B, T]
//   attributes: rotary (none | half | interleaved), base, rotaryDimensions (0 means D)

#include "cpu/kv_append_common.h"

namespace limen::cpu {
namespace {

void launch_kv_append_quantized(const OpCall& call) {
  const TensorView &k = call.tensor(0), &key_pages = call.tensor(2), &value_pages = call.tensor(3),
                   &key_scales = call.tensor(4), &value_scales = call.tensor(5);
  const AppendOperands operands = {k,
                                   call.tensor(1),
                                   key_pages,
                                   call.tensor(6),
                                   call.tensor(7),
                                   call.tensor(8),
                                   call.tensor(9),
                                   call.integer(0),
                                   call.number(1),
                                   call.integer(2)};
  run_append(call, operands, [&](bool is_key, const float* x, int64_t page, int64_t slot, int64_t head) {
    encode_vector(x, k.shape[3], key_pages.dtype, stored_row(is_key ? key_pages : value_pages, page, slot, head),
                  stored_row(is_key ? key_scales : value_scales, page, slot, head));
  });
}

REGISTER_CPU_OP(kv_append_quantized, launch_kv_append_quantized);

}  // namespace
}  // namespace limen::cpu
