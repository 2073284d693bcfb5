// attention_decode_paged on the CPU: one query per sequence against keys in pages.
//
//   q, y       [B, H, D]        last axis contiguous, f32 | f16 | bf16
//   keyPages, valuePages  [G, P, K, D]  last axis contiguous, type of q: key j of sequence b is slot j % P of page
//                         pageTable[b, j / P]
//   pageTable  i32 [B, M]       lengths  i32 [B]: valid keys; 0 gives zeros
//   prefixLengths  i32 [N] or none: a hint for GPUs; the shared pages are in every row's table
//   attributes: scale (0 means 1/√D), window (0: every key is seen), sinks
//
// The work is split and merged as in attention_rows.h.

#include "cpu/decode_pages.h"
#include "cpu/stored_vectors.h"

namespace limen::cpu {
namespace {

DecodeCall decode_call(const OpCall& call) {
  return {call, call.tensor(0), call.tensor(1), call.tensor(3), call.tensor(4), call.tensor(6)};
}

void launch_attention_decode_paged(const OpCall& call) {
  const DecodeCall decode = decode_call(call);
  const TensorView &key_pages = call.tensor(1), &value_pages = call.tensor(2);
  require_type(call, "keyPages", key_pages, decode.q.dtype);
  require_type(call, "valuePages", value_pages, decode.q.dtype);
  if (decode.y.size() == 0) return;
  decode.check();
  run_attention_rows(
      decode.rows(), call.workspace, [&](int64_t b, int64_t) { return decode.seen(b); },
      [&](int64_t b, int64_t head, int64_t key, float*) -> KeyValueRows {
        const auto [page, slot] = decode.slot_of(b, key);
        return {stored_row(key_pages, page, slot, head), stored_row(value_pages, page, slot, head)};
      });
}

size_t workspace_of_attention_decode_paged(const OpCall& call) { return decode_call(call).rows().workspace_bytes(); }

REGISTER_CPU_OP(attention_decode_paged, launch_attention_decode_paged, workspace_of_attention_decode_paged);

}  // namespace
}  // namespace limen::cpu
