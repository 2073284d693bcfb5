// What the two decode-attention ops share on the CPU: which keys a query sees, and where they are in the pages.

#pragma once

#include <string>

#include "cpu/attention_rows.h"

namespace limen::cpu {

// A slot of a page.
struct Slot {
  int64_t page, slot;
};

struct DecodeCall {
  const OpCall& call;
  const TensorView &q, &key_pages, &page_table, &lengths, &y;

  int64_t page_size() const { return key_pages.shape[1]; }
  int64_t most_keys() const { return page_table.shape[1] * page_size(); }

  AttentionRows rows() const {
    const float depth = static_cast<float>(q.shape[2]);
    AttentionRows problem = {};
    problem.batch = q.shape[0];
    problem.queries = 1;
    problem.heads = q.shape[1];
    problem.key_heads = key_pages.shape[2];
    problem.depth = q.shape[2];
    problem.max_keys = most_keys();
    problem.type = q.dtype;
    problem.q = {q.data, q.stride[0], 0, q.stride[1]};
    problem.y = {y.data, y.stride[0], 0, y.stride[1]};
    problem.scale = call.number(0) != 0 ? static_cast<float>(call.number(0)) : 1.0f / std::sqrt(depth);
    return problem;
  }

  int64_t length_of(int64_t batch) const {
    return std::clamp<int64_t>(lengths.as<const int32_t>()[batch * lengths.stride[0]], 0, most_keys());
  }
  int64_t sinks() const { return call.integer(2); }
  // Keys that a sequence's query sees, numbered without gaps: the sinks, then the window.
  int64_t seen(int64_t batch) const {
    const int64_t length = length_of(batch), window = call.integer(1);
    return window > 0 ? std::min(length, sinks() + window) : length;
  }
  int64_t position_of(int64_t batch, int64_t key) const {
    return key < sinks() ? key : key + length_of(batch) - seen(batch);
  }
  int64_t page_at(int64_t batch, int64_t m) const {
    return page_table.as<const int32_t>()[batch * page_table.stride[0] + m * page_table.stride[1]];
  }
  Slot slot_of(int64_t batch, int64_t key) const {
    const int64_t position = position_of(batch, key);
    return {page_at(batch, position / page_size()), position % page_size()};
  }

  // Page numbers come from the caller's tables: a wrong one must not become a wild read.
  void check() const {
    require_float(call, "q", q);
    require_type(call, "pageTable", page_table, DType::kI32);
    require_type(call, "lengths", lengths, DType::kI32);
    require_type(call, "y", y, q.dtype);
    for (int64_t b = 0; b < q.shape[0]; ++b) {
      for (int64_t key = 0; key < seen(b); ++key) {
        const int64_t m = position_of(b, key) / page_size(), page = page_at(b, m);
        if (page >= 0 && page < key_pages.shape[0]) continue;
        throw OpError("PAGE_OUT_OF_RANGE", std::string(call.name) + ": pageTable[" + std::to_string(b) + ", " +
                                               std::to_string(m) + "] is not a page: expected 0.." +
                                               std::to_string(key_pages.shape[0] - 1) + ", got " +
                                               std::to_string(page) + ". Allocate pages for every token that is seen.");
      }
    }
  }
};

}  // namespace limen::cpu
