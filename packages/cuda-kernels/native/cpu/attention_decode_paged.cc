// attention_decode_paged on the CPU: one query per sequence against keys in pages.
//
//   q, y       [B, H, D]        last axis contiguous, f32 | f16 | bf16
//   keyPages, valuePages  [G, P, K, D]  contiguous, type of q: key j of sequence b is slot j % P of page
//                         pageTable[b, j / P]
//   pageTable  i32 [B, M]       lengths  i32 [B]: valid keys; 0 gives zeros
//   attribute: scale (0 means 1/√D)
//
// The work is split and merged as in attention_rows.h.

#include "cpu/attention_rows.h"

namespace limen::cpu {
namespace {

AttentionRows rows_of(const OpCall& call) {
  const TensorView &q = call.tensor(0), &pages = call.tensor(1), &table = call.tensor(3), &y = call.tensor(5);
  const float depth = static_cast<float>(q.shape[2]);
  AttentionRows problem = {};
  problem.batch = q.shape[0];
  problem.queries = 1;
  problem.heads = q.shape[1];
  problem.key_heads = pages.shape[2];
  problem.depth = q.shape[2];
  problem.max_keys = table.shape[1] * pages.shape[1];
  problem.type = q.dtype;
  problem.q = {q.data, q.stride[0], 0, q.stride[1]};
  problem.y = {y.data, y.stride[0], 0, y.stride[1]};
  problem.scale = call.number(0) != 0 ? static_cast<float>(call.number(0)) : 1.0f / std::sqrt(depth);
  return problem;
}

// Page numbers come from the caller's tables: a wrong one must not become a wild read.
void check_pages(const OpCall& call, const TensorView& pages, const TensorView& page_table,
                 const TensorView& lengths) {
  const int64_t page_size = pages.shape[1];
  for (int64_t b = 0; b < page_table.shape[0]; ++b) {
    const int64_t length = lengths.as<const int32_t>()[b * lengths.stride[0]];
    const int64_t used = std::min(page_table.shape[1], ceil_divide(std::max<int64_t>(0, length), page_size));
    for (int64_t m = 0; m < used; ++m) {
      const int32_t page = page_table.as<const int32_t>()[b * page_table.stride[0] + m * page_table.stride[1]];
      if (page >= 0 && page < pages.shape[0]) continue;
      throw OpError("PAGE_OUT_OF_RANGE", std::string(call.name) + ": pageTable[" + std::to_string(b) + ", " +
                                             std::to_string(m) + "] is not a page: expected 0.." +
                                             std::to_string(pages.shape[0] - 1) + ", got " + std::to_string(page) +
                                             ". Allocate pages for every token below lengths.");
    }
  }
}

void launch_attention_decode_paged(const OpCall& call) {
  const TensorView &q = call.tensor(0), &key_pages = call.tensor(1), &value_pages = call.tensor(2),
                   &page_table = call.tensor(3), &lengths = call.tensor(4), &y = call.tensor(5);
  require_float(call, "q", q);
  require_type(call, "keyPages", key_pages, q.dtype);
  require_type(call, "valuePages", value_pages, q.dtype);
  require_type(call, "pageTable", page_table, DType::kI32);
  require_type(call, "lengths", lengths, DType::kI32);
  require_type(call, "y", y, q.dtype);
  if (y.size() == 0) return;
  check_pages(call, key_pages, page_table, lengths);

  const AttentionRows problem = rows_of(call);
  const int64_t element = static_cast<int64_t>(size_of(problem.type));
  const int64_t page_size = key_pages.shape[1];
  run_attention_rows(
      problem, call.workspace,
      [&](int64_t b, int64_t) {
        const int64_t length = lengths.as<const int32_t>()[b * lengths.stride[0]];
        return std::clamp<int64_t>(length, 0, problem.max_keys);
      },
      [&](int64_t b, int64_t head, int64_t key) -> KeyValueRows {
        const int64_t m = key / page_size, slot = key % page_size;
        const int64_t page = page_table.as<const int32_t>()[b * page_table.stride[0] + m * page_table.stride[1]];
        const auto row = [&](const TensorView& pages) {
          return pages.as<const char>() +
                 (page * pages.stride[0] + slot * pages.stride[1] + head * pages.stride[2]) * element;
        };
        return {row(key_pages), row(value_pages)};
      });
}

size_t workspace_of_attention_decode_paged(const OpCall& call) { return rows_of(call).workspace_bytes(); }

REGISTER_CPU_OP(attention_decode_paged, launch_attention_decode_paged, workspace_of_attention_decode_paged);

}  // namespace
}  // namespace limen::cpu
