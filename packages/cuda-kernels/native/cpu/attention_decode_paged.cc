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

#include "cpu/attention_rows.h"

namespace limen::cpu {
namespace {

AttentionRows rows_of(const OpCall& call) {
  const TensorView &q = call.tensor(0), &pages = call.tensor(1), &table = call.tensor(3), &y = call.tensor(6);
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

// The keys that a sequence's query sees, numbered without gaps: the sinks, then the window.
struct SeenKeys {
  int64_t length, sinks, count;

  SeenKeys(const OpCall& call, int64_t batch, int64_t max_keys) {
    const TensorView& lengths = call.tensor(4);
    length = std::clamp<int64_t>(lengths.as<const int32_t>()[batch * lengths.stride[0]], 0, max_keys);
    const int64_t window = call.integer(1);
    sinks = call.integer(2);
    count = window > 0 ? std::min(length, sinks + window) : length;
  }
  int64_t position_of(int64_t key) const { return key < sinks ? key : key + length - count; }
};

// Page numbers come from the caller's tables: a wrong one must not become a wild read.
void check_pages(const OpCall& call, const TensorView& pages, const TensorView& page_table, int64_t max_keys) {
  const int64_t page_size = pages.shape[1];
  for (int64_t b = 0; b < page_table.shape[0]; ++b) {
    const SeenKeys seen(call, b, max_keys);
    for (int64_t key = 0; key < seen.count; ++key) {
      const int64_t m = seen.position_of(key) / page_size;
      const int32_t page = page_table.as<const int32_t>()[b * page_table.stride[0] + m * page_table.stride[1]];
      if (page >= 0 && page < pages.shape[0]) continue;
      throw OpError("PAGE_OUT_OF_RANGE", std::string(call.name) + ": pageTable[" + std::to_string(b) + ", " +
                                             std::to_string(m) + "] is not a page: expected 0.." +
                                             std::to_string(pages.shape[0] - 1) + ", got " + std::to_string(page) +
                                             ". Allocate pages for every token that is seen.");
    }
  }
}

void launch_attention_decode_paged(const OpCall& call) {
  const TensorView &q = call.tensor(0), &key_pages = call.tensor(1), &value_pages = call.tensor(2),
                   &page_table = call.tensor(3), &lengths = call.tensor(4), &y = call.tensor(6);
  require_float(call, "q", q);
  require_type(call, "keyPages", key_pages, q.dtype);
  require_type(call, "valuePages", value_pages, q.dtype);
  require_type(call, "pageTable", page_table, DType::kI32);
  require_type(call, "lengths", lengths, DType::kI32);
  require_type(call, "y", y, q.dtype);
  if (y.size() == 0) return;
  const AttentionRows problem = rows_of(call);
  check_pages(call, key_pages, page_table, problem.max_keys);
  const int64_t element = static_cast<int64_t>(size_of(problem.type));
  const int64_t page_size = key_pages.shape[1];
  run_attention_rows(
      problem, call.workspace,
      [&](int64_t b, int64_t) { return SeenKeys(call, b, problem.max_keys).count; },
      [&](int64_t b, int64_t head, int64_t key) -> KeyValueRows {
        const int64_t position = SeenKeys(call, b, problem.max_keys).position_of(key);
        const int64_t m = position / page_size, slot = position % page_size;
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
