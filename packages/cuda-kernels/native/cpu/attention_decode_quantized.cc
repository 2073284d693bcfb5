// attention_decode_quantized on the CPU: as attention_decode_paged, over pages of fp8, int8 or int4 vectors.
//
//   q, y       [B, H, D]        last axis contiguous, f32 | f16 | bf16
//   keyPages, valuePages    [G, P, K, E]  last axis contiguous, f8e4m3 | i8 | u8 (int4, E = D/2)
//   keyScales, valueScales  [G, P, K, S]  f32 and S = 1, or f16 and S = 2
//   pageTable  i32 [B, M]       lengths  i32 [B]       prefixLengths  i32 [N] or none
//   attributes: scale (0 means 1/√D), window (0: every key is seen), sinks
//
// A chunk of keys is decoded to f32 once, for all query heads that read it. The rest is attention_rows.h.

#include "cpu/decode_pages.h"
#include "cpu/stored_vectors.h"

namespace limen::cpu {
namespace {

DecodeCall decode_call(const OpCall& call) {
  return {call, call.tensor(0), call.tensor(1), call.tensor(5), call.tensor(6), call.tensor(8)};
}

void launch_attention_decode_quantized(const OpCall& call) {
  const DecodeCall decode = decode_call(call);
  const TensorView &key_pages = call.tensor(1), &value_pages = call.tensor(2), &key_scales = call.tensor(3),
                   &value_scales = call.tensor(4);
  if (decode.y.size() == 0) return;
  decode.check();
  AttentionRows problem = decode.rows();
  problem.decodes = true;
  const int64_t depth = problem.depth;
  run_attention_rows(
      problem, call.workspace, [&](int64_t b, int64_t) { return decode.seen(b); },
      [&](int64_t b, int64_t head, int64_t key, float* space) -> KeyValueRows {
        const auto [page, slot] = decode.slot_of(b, key);
        const auto decoded = [&](const TensorView& pages, const TensorView& scales, float* target) {
          decode_vector(pages.dtype, stored_row(pages, page, slot, head), stored_row(scales, page, slot, head), target,
                        depth);
          return reinterpret_cast<const char*>(target);
        };
        return {decoded(key_pages, key_scales, space), decoded(value_pages, value_scales, space + depth)};
      });
}

size_t workspace_of_attention_decode_quantized(const OpCall& call) {
  return decode_call(call).rows().workspace_bytes();
}

REGISTER_CPU_OP(attention_decode_quantized, launch_attention_decode_quantized, workspace_of_attention_decode_quantized);

}  // namespace
}  // namespace limen::cpu
