// attention on the CPU: y = softmax(q · kᵀ · scale, masked) · v per head, with grouped key heads.
//
//   q, y      [B, T, H, D]  last axis contiguous, f32 | f16 | bf16     k, v  [B, S, K, D]  likewise, type of q
//   lengths?  i32 [B]: keys at and beyond lengths[b] are hidden
//   attributes: scale (0 means 1/√D), causal (query t sees keys s ≤ t + S − T)
//
// A few queries go through attention_rows.h. More: keys and values are packed once per key head (workspace), then
// every (batch, head, block of queries) is one work item. A query that sees no key gives zeros.

#include "cpu/attention_rows.h"

namespace limen::cpu {
namespace {

constexpr int64_t kFewQueries = 4;
constexpr int64_t kQueryBlock = 48;  // a multiple of every tile_rows

AttentionOperand operand_of(const TensorView& tensor) {
  return {tensor.data, tensor.stride[0], tensor.stride[1], tensor.stride[2]};
}

struct PanelSizes {
  int64_t keys, values;  // floats
};

PanelSizes panel_sizes(const OpCall& call) {
  const TensorView& k = call.tensor(1);
  const int64_t width = kernels().panel_columns, pairs = k.shape[0] * k.shape[2];
  return {pairs * ceil_divide(k.shape[1], width) * width * k.shape[3],
          pairs * ceil_divide(k.shape[3], width) * width * k.shape[1]};
}

float scale_of(const OpCall& call, int64_t depth) {
  return call.number(0) != 0 ? static_cast<float>(call.number(0)) : 1.0f / std::sqrt(static_cast<float>(depth));
}

AttentionRows rows_of(const OpCall& call) {
  const TensorView &q = call.tensor(0), &k = call.tensor(1), &y = call.tensor(4);
  return {q.shape[0],    q.shape[1], q.shape[2],    k.shape[2],    q.shape[3],
          k.shape[1],    q.dtype,    operand_of(q), operand_of(y), scale_of(call, q.shape[3])};
}

void launch_few_queries(const OpCall& call) {
  const TensorView &k = call.tensor(1), &v = call.tensor(2);
  const AttentionRows problem = rows_of(call);
  const int32_t* lengths = call.tensor(3).as<const int32_t>();
  const bool causal = call.flag(1);
  const int64_t element = static_cast<int64_t>(size_of(problem.type));
  run_attention_rows(
      problem, call.workspace,
      [&](int64_t b, int64_t t) {
        int64_t seen = lengths ? std::clamp<int64_t>(lengths[b], 0, problem.max_keys) : problem.max_keys;
        if (causal) seen = std::min(seen, t + problem.max_keys - problem.queries + 1);
        return std::max<int64_t>(0, seen);
      },
      [&](int64_t b, int64_t head, int64_t key, float*) -> KeyValueRows {
        return {k.as<const char>() + (b * k.stride[0] + key * k.stride[1] + head * k.stride[2]) * element,
                v.as<const char>() + (b * v.stride[0] + key * v.stride[1] + head * v.stride[2]) * element};
      });
}

void launch_attention(const OpCall& call) {
  const TensorView &q = call.tensor(0), &k = call.tensor(1), &v = call.tensor(2), &lengths = call.tensor(3),
                   &y = call.tensor(4);
  require_float(call, "q", q);
  require_type(call, "k", k, q.dtype);
  require_type(call, "v", v, q.dtype);
  require_type(call, "lengths", lengths, DType::kI32);
  require_type(call, "y", y, q.dtype);
  if (y.size() == 0) return;
  if (q.shape[1] <= kFewQueries) return launch_few_queries(call);

  const Kernels& table = kernels();
  AttentionTask task = {};
  const int64_t batch = q.shape[0];
  task.queries = q.shape[1];
  task.keys = k.shape[1];
  task.heads = q.shape[2];
  task.key_heads = k.shape[2];
  task.depth = q.shape[3];
  task.type = q.dtype;
  task.q = operand_of(q);
  task.k = operand_of(k);
  task.v = operand_of(v);
  task.y = operand_of(y);
  task.lengths = lengths.as<const int32_t>();
  task.scale = scale_of(call, task.depth);
  task.causal = call.flag(1);
  task.key_panels = static_cast<float*>(call.workspace);
  task.value_panels = task.key_panels + panel_sizes(call).keys;

  const int64_t key_blocks = ceil_divide(task.keys, kAttentionKeyBlock);
  parallel_for(batch * task.key_heads * key_blocks, grain_of(kAttentionKeyBlock * task.depth * 4),
               [&](int64_t begin, int64_t end) {
                 for (int64_t item = begin; item < end; ++item) {
                   const int64_t pair = item / key_blocks, first = item % key_blocks * kAttentionKeyBlock;
                   table.attention_pack(task, pair / task.key_heads, pair % task.key_heads, first,
                                        std::min(task.keys, first + kAttentionKeyBlock));
                 }
               });

  const int64_t query_blocks = ceil_divide(task.queries, kQueryBlock);
  const int64_t out_stride = ceil_divide(task.depth, table.panel_columns) * table.panel_columns;
  const int64_t scratch_floats = kQueryBlock * (task.depth + kAttentionKeyBlock + out_stride + 2);
  const int64_t cost = std::min(kQueryBlock, task.queries) * task.keys * task.depth * 2;
  parallel_for(batch * task.heads * query_blocks, grain_of(cost), [&](int64_t begin, int64_t end) {
    float* scratch = thread_scratch(scratch_floats);
    for (int64_t item = begin; item < end; ++item) {
      const int64_t pair = item / query_blocks, first = item % query_blocks * kQueryBlock;
      table.attention_block(task, pair / task.heads, pair % task.heads, first,
                            std::min(task.queries, first + kQueryBlock), scratch);
    }
  });
}

size_t workspace_of_attention(const OpCall& call) {
  if (call.tensor(0).shape[1] <= kFewQueries) return rows_of(call).workspace_bytes();
  const PanelSizes sizes = panel_sizes(call);
  return static_cast<size_t>(sizes.keys + sizes.values) * sizeof(float);
}

REGISTER_CPU_OP(attention, launch_attention, workspace_of_attention);

}  // namespace
}  // namespace limen::cpu
