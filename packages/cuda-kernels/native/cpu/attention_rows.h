// Attention for a few queries per sequence (decoding), for keys that lie anywhere: in a cache with strides or in pages.
//
// Keys are cut in chunks of a fixed size, so there is work for many threads with one sequence, and the result does not
// depend on how many threads there are. All query rows that share a key head go together and read its keys once.
//   pass 1: (batch, key head, chunk) → maximum, sum of weights and weighted values per query row
//   pass 2: (batch, query row) → the chunks merged in order

#pragma once

#include <cmath>
#include <limits>

#include "cpu/launch.h"

namespace limen::cpu {

struct AttentionRows {
  int64_t batch, queries, heads, key_heads, depth;  // B, T, H, K, D
  int64_t max_keys;                                 // of any sequence
  DType type;
  AttentionOperand q, y;
  float scale;
  bool decodes = false;  // keys and values are stored in another type: `locate` decodes them into its space as f32

  int64_t group() const { return heads / key_heads; }
  int64_t rows() const { return group() * queries; }  // query rows that share a key head
  int64_t chunks() const { return ceil_divide(max_keys, kChunkKeys); }
  int64_t partial_stride() const { return depth + 2; }
  size_t workspace_bytes() const {
    return static_cast<size_t>(batch * key_heads * chunks() * rows() * partial_stride()) * sizeof(float);
  }
  int64_t offset(const AttentionOperand& operand, int64_t b, int64_t key_head, int64_t row) const {
    const int64_t head = key_head * group() + row / queries;
    return b * operand.batch_stride + row % queries * operand.token_stride + head * operand.head_stride;
  }
};

struct KeyValueRows {
  const char* key;
  const char* value;
};

// visible(b, t): keys that query t of sequence b may see, a prefix; locate(b, key_head, key, space): where they are.
// `space` holds 2·D floats for this key and lasts as long as they are read; null unless problem.decodes.
template <typename Visible, typename Locate>
void run_attention_rows(const AttentionRows& problem, void* workspace, Visible visible, Locate locate) {
  const Kernels& table = kernels();
  const int64_t rows = problem.rows(), depth = problem.depth, chunks = problem.chunks();
  const int64_t stride = problem.partial_stride();
  float* partials = static_cast<float*>(workspace);
  const size_t element = size_of(problem.type);

  const int64_t items = problem.batch * problem.key_heads * chunks;
  const int64_t cost = std::min(kChunkKeys, problem.max_keys) * depth * 2 * std::max<int64_t>(rows, 4);
  parallel_for(items, grain_of(cost), [&](int64_t begin, int64_t end) {
    const int64_t space_stride = problem.decodes ? 2 * depth : 0;
    float* q = thread_scratch(rows * (depth + kChunkKeys) + kChunkKeys * space_stride);
    float* scores = q + rows * depth;
    float* space = problem.decodes ? scores + rows * kChunkKeys : nullptr;
    const void* keys[kChunkKeys];
    const void* values[kChunkKeys];
    for (int64_t item = begin; item < end; ++item) {
      // Heads innermost: a token's heads are neighbours in memory.
      const int64_t key_head = item % problem.key_heads, index = item / problem.key_heads % chunks;
      const int64_t b = item / (problem.key_heads * chunks), first = index * kChunkKeys;
      const int64_t count = std::min(kChunkKeys, visible(b, problem.queries - 1) - first);  // the last sees most
      if (count <= 0) continue;
      for (int64_t key = 0; key < count; ++key) {
        const KeyValueRows found = locate(b, key_head, first + key, space + key * space_stride);
        keys[key] = found.key;
        values[key] = found.value;
      }
      // Rows in runs of bounded size, so that the table of visible counts stays on the stack.
      constexpr int64_t kRun = 64;
      for (int64_t row = 0; row < rows; row += kRun) {
        const int64_t take = std::min(kRun, rows - row);
        int64_t seen[kRun];
        for (int64_t r = 0; r < take; ++r) {
          float* target = q + (row + r) * depth;
          const int64_t at = problem.offset(problem.q, b, key_head, row + r);
          table.widen(static_cast<const char*>(problem.q.data) + at * element, problem.type, target, depth);
          for (int64_t i = 0; i < depth; ++i) target[i] *= problem.scale;
          seen[r] = std::clamp<int64_t>(visible(b, (row + r) % problem.queries) - first, 0, count);
        }
        AttentionChunk chunk;
        chunk.q = q + row * depth;
        chunk.rows = take;
        chunk.depth = depth;
        chunk.count = count;
        chunk.key_rows = keys;
        chunk.value_rows = values;
        chunk.visible = seen;
        chunk.type = problem.decodes ? DType::kF32 : problem.type;
        chunk.scores = scores + row * kChunkKeys;
        chunk.partial = partials + (((b * problem.key_heads + key_head) * chunks + index) * rows + row) * stride;
        table.attention_chunk(chunk);
      }
    }
  });

  parallel_for(problem.batch * problem.key_heads * rows, grain_of(chunks * depth * 4), [&](int64_t begin, int64_t end) {
    float* sum = thread_scratch(depth);
    for (int64_t item = begin; item < end; ++item) {
      const int64_t pair = item / rows, row = item % rows;
      const int64_t b = pair / problem.key_heads, key_head = pair % problem.key_heads;
      const int64_t filled = ceil_divide(std::max<int64_t>(0, visible(b, problem.queries - 1)), kChunkKeys);
      const auto partial = [&](int64_t chunk) { return partials + ((pair * chunks + chunk) * rows + row) * stride; };
      float maximum = -std::numeric_limits<float>::infinity();
      for (int64_t chunk = 0; chunk < filled; ++chunk) maximum = std::max(maximum, partial(chunk)[0]);
      std::fill(sum, sum + depth, 0.0f);
      float total = 0.0f;
      for (int64_t chunk = 0; chunk < filled; ++chunk) {
        const float* part = partial(chunk);
        if (part[1] == 0.0f) continue;
        const float weight = std::exp(part[0] - maximum);
        total += part[1] * weight;
        for (int64_t i = 0; i < depth; ++i) sum[i] += part[2 + i] * weight;
      }
      const float factor = total == 0.0f ? 0.0f : 1.0f / total;  // a NaN stays visible
      for (int64_t i = 0; i < depth; ++i) sum[i] *= factor;
      const int64_t at = problem.offset(problem.y, b, key_head, row);
      table.narrow(sum, static_cast<char*>(const_cast<void*>(problem.y.data)) + at * element, problem.type, depth);
    }
  });
}

}  // namespace limen::cpu
