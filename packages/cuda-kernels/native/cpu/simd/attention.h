// Attention. Many queries: blocks of queries against blocks of packed keys, rescaled online. Few queries (decoding):
// one pass over a chunk of keys that are read where they lie.

#pragma once

#include "cpu/simd/panel.h"
#include "cpu/simd/tile.h"
#include "cpu/simd/vector_math.h"

namespace limen::cpu::LIMEN_SIMD_TARGET {

constexpr float kMinusInfinity = -__builtin_inff();

template <typename T>
inline const T* row_of(const AttentionOperand& operand, int64_t batch, int64_t token, int64_t head) {
  return static_cast<const T*>(operand.data) + batch * operand.batch_stride + token * operand.token_stride +
         head * operand.head_stride;
}

// Packs keys [begin, end) of one key head; values that `lengths` masks become zero, so that garbage there is harmless.
inline void attention_pack(const AttentionTask& task, int64_t batch, int64_t key_head, int64_t begin, int64_t end) {
  const int64_t pair = batch * task.key_heads + key_head;
  const int64_t key_panel_count = ceil_divide(task.keys, kPanel);
  const int64_t value_panel_count = ceil_divide(task.depth, kPanel);
  const int64_t length = task.lengths ? task.lengths[batch] : task.keys;
  with_float_type(task.type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t key = begin; key < end; key += kPanel) {
      const int64_t count = end - key < kPanel ? end - key : kPanel;
      float* panel = task.key_panels + (pair * key_panel_count * kPanel + key) * task.depth;
      pack_panel(row_of<T>(task.k, batch, key, key_head), task.k.token_stride, count, task.depth, panel);
    }
    for (int64_t index = 0; index < value_panel_count; ++index) {
      const int64_t first = index * kPanel;
      const int64_t columns = task.depth - first < kPanel ? task.depth - first : kPanel;
      for (int64_t key = begin; key < end; ++key) {
        float* target = task.value_panels + ((pair * value_panel_count + index) * task.keys + key) * kPanel;
        const int64_t used = key < length ? columns : 0;
        if (used > 0) widen_row(row_of<T>(task.v, batch, key, key_head) + first, target, used);
        zero_row(target + used, kPanel - used);
      }
    }
  });
}

// scores[0, visible) → weights e^(score - maximum); zero on [visible, padded), padded a multiple of kLanes.
// Updates the running maximum and sum of the row and returns the factor for what was summed before.
inline float softmax_step(float* scores, int64_t visible, int64_t padded, float* maximum, float* sum) {
  if (visible <= 0) {
    zero_row(scores, padded);
    return 1.0f;
  }
  const IntVec lane_index = [] {
    IntVec index;
    for (int lane = 0; lane < kLanes; ++lane) index[lane] = lane;
    return index;
  }();
  Vec largest = splat(kMinusInfinity);
  for (int64_t i = 0; i < padded; i += kLanes) {
    const IntVec hidden = lane_index >= static_cast<int32_t>(visible - i);
    const Vec value = hidden ? splat(kMinusInfinity) : load(scores + i);
    store(scores + i, value);
    largest = maximum_of(largest, value);
  }
  const float before = *maximum;
  const float block = reduce_maximum(largest);
  const float after = block > before ? block : before;
  Vec total = {};
  for (int64_t i = 0; i < padded; i += kLanes) {
    const Vec weight = exponential(load(scores + i) - after);
    store(scores + i, weight);
    total = total + weight;
  }
  const float factor = exponential(splat(before - after))[0];
  *maximum = after;
  *sum = *sum * factor + reduce_add(total);
  return factor;
}

inline void scale_row(float* row, float factor, int64_t count) {
  for (int64_t i = 0; i < count; ++i) row[i] *= factor;
}

// Queries [begin, end) of one head. Scratch layout for n = end - begin rows:
// q [n][depth], weights [n][kAttentionKeyBlock], out [n][depth rounded up to kPanel], then maximum, sum [n] each.
inline void attention_block(const AttentionTask& task, int64_t batch, int64_t head, int64_t begin, int64_t end,
                            float* scratch) {
  constexpr int64_t kBlock = kAttentionKeyBlock;
  const int64_t rows = end - begin;
  const int64_t value_panel_count = ceil_divide(task.depth, kPanel);
  const int64_t out_stride = value_panel_count * kPanel;
  float* q = scratch;
  float* weights = q + rows * task.depth;
  float* out = weights + rows * kBlock;
  float* maximum = out + rows * out_stride;
  float* sum = maximum + rows;

  const int64_t pair = batch * task.key_heads + head / (task.heads / task.key_heads);
  const float* key_panels = task.key_panels + pair * ceil_divide(task.keys, kPanel) * kPanel * task.depth;
  const float* value_panels = task.value_panels + pair * value_panel_count * task.keys * kPanel;
  int64_t length = task.lengths ? task.lengths[batch] : task.keys;
  length = length < 0 ? 0 : length > task.keys ? task.keys : length;
  const int64_t offset = task.keys - task.queries;
  // Query t sees keys [0, visible(t)).
  auto visible = [&](int64_t t) {
    const int64_t limit = task.causal && t + offset + 1 < length ? t + offset + 1 : length;
    return limit < 0 ? int64_t{0} : limit;
  };

  with_float_type(task.type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t r = 0; r < rows; ++r) {
      widen_row(row_of<T>(task.q, batch, begin + r, head), q + r * task.depth, task.depth);
      scale_row(q + r * task.depth, task.scale, task.depth);
    }
  });
  zero_row(out, rows * out_stride);
  for (int64_t r = 0; r < rows; ++r) {
    maximum[r] = kMinusInfinity;
    sum[r] = 0.0f;
  }

  const int64_t seen = visible(end - 1);  // the last query of the block sees most
  for (int64_t key = 0; key < seen; key += kBlock) {
    const int64_t count = seen - key < kBlock ? seen - key : kBlock;
    const int64_t padded = ceil_divide(count, kPanel) * kPanel;
    // Pass 1: scores of this block of keys.
    for (int64_t first = 0; first < padded; first += kPanel) {
      const float* panel = key_panels + (key + first) * task.depth;
      for (int64_t row = 0; row < rows; row += kTileRows) {
        const int64_t take = rows - row < kTileRows ? rows - row : kTileRows;
        const float* a[kTileRows];
        for (int64_t r = 0; r < take; ++r) a[r] = q + (row + r) * task.depth;
        panel_tile_of<2>(take, a, {1, task.depth, 0}, panel, weights + row * kBlock + first, kBlock, false);
      }
    }
    // Pass 2: weights; what was summed under an older maximum shrinks.
    for (int64_t r = 0; r < rows; ++r) {
      int64_t mine = visible(begin + r) - key;
      mine = mine < 0 ? 0 : mine > count ? count : mine;
      const float factor = softmax_step(weights + r * kBlock, mine, padded, maximum + r, sum + r);
      if (factor != 1.0f) scale_row(out + r * out_stride, factor, out_stride);
    }
    // Pass 3: weighted sum of the values.
    for (int64_t index = 0; index < value_panel_count; ++index) {
      const float* panel = value_panels + (index * task.keys + key) * kPanel;
      const int64_t columns = task.depth - index * kPanel;
      for (int64_t row = 0; row < rows; row += kTileRows) {
        const int64_t take = rows - row < kTileRows ? rows - row : kTileRows;
        const float* a[kTileRows];
        for (int64_t r = 0; r < take; ++r) a[r] = weights + (row + r) * kBlock;
        panel_tile_any(take, columns, a, {1, count, 0}, panel, out + row * out_stride + index * kPanel, out_stride,
                       true);
      }
    }
  }

  with_float_type(task.type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t r = 0; r < rows; ++r) {
      float* row = out + r * out_stride;
      scale_row(row, sum[r] > 0.0f ? 1.0f / sum[r] : 0.0f, task.depth);
      narrow(row, const_cast<T*>(row_of<T>(task.y, batch, begin + r, head)), task.type, task.depth);
    }
  });
}

// out[R][depth] = weights[R][count] · values[count][depth], V vectors of the depth at a time.
template <int R, int V, typename T>
inline void value_tile(const float* const* weights, const T* const* values, int64_t count, int64_t column, float* out,
                       int64_t out_stride) {
  Vec sum[R][V];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) sum[r][v] = Vec{};
  }
  for (int64_t key = 0; key < count; ++key) {
    Vec b[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) b[v] = load(values[key] + column + v * kLanes);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const Vec weight = splat(weights[r][key]);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) sum[r][v] = fma(weight, b[v], sum[r][v]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) store(out + r * out_stride + column + v * kLanes, sum[r][v]);
  }
}

// Columns [column, depth) in tiles of V vectors, then of half as many, down to single columns.
template <int R, int V, typename T>
inline void value_columns(const float* const* weights, const T* const* values, int64_t count, int64_t column,
                          int64_t depth, float* out, int64_t out_stride) {
  for (; column + V * kLanes <= depth; column += V * kLanes) {
    value_tile<R, V>(weights, values, count, column, out, out_stride);
  }
  if constexpr (V > 1) {
    value_columns<R, V / 2>(weights, values, count, column, depth, out, out_stride);
  } else {
    for (; column < depth; ++column) {
      for (int r = 0; r < R; ++r) {
        float sum = 0.0f;
        for (int64_t key = 0; key < count; ++key) sum += weights[r][key] * to_float(values[key][column]);
        out[r * out_stride + column] = sum;
      }
    }
  }
}

template <int R, typename T>
inline void value_rows(const float* const* weights, const T* const* values, int64_t count, int64_t depth, float* out,
                       int64_t out_stride) {
  constexpr int V = R == 1 ? 8 : kLanes == 16 || R == 2 ? 4 : 2;  // what the registers hold
  value_columns<R, V>(weights, values, count, 0, depth, out, out_stride);
}

inline void attention_chunk(const AttentionChunk& chunk) {
  const int64_t stride = chunk.depth + 2;
  with_float_type(chunk.type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* keys[kChunkKeys];
    const T* values[kChunkKeys];
    for (int64_t key = 0; key < chunk.count; ++key) {
      keys[key] = static_cast<const T*>(chunk.key_rows[key]);
      values[key] = static_cast<const T*>(chunk.value_rows[key]);
    }
    dot_block(chunk.q, chunk.depth, chunk.rows, keys, chunk.count, chunk.depth, chunk.scores, kChunkKeys);
    for (int64_t row = 0; row < chunk.rows; ++row) {
      float* partial = chunk.partial + row * stride;
      partial[0] = kMinusInfinity;
      partial[1] = 0.0f;
      const int64_t padded = ceil_divide(chunk.count, kLanes) * kLanes;
      softmax_step(chunk.scores + row * kChunkKeys, chunk.visible[row], padded, partial, partial + 1);
    }
    for (int64_t row = 0; row < chunk.rows; row += 4) {
      const int64_t take = chunk.rows - row < 4 ? chunk.rows - row : 4;
      const float* weights[4];
      for (int64_t r = 0; r < take; ++r) weights[r] = chunk.scores + (row + r) * kChunkKeys;
      float* out = chunk.partial + row * stride + 2;
      switch (take) {
        case 1: value_rows<1>(weights, values, chunk.count, chunk.depth, out, stride); break;
        case 2: value_rows<2>(weights, values, chunk.count, chunk.depth, out, stride); break;
        case 3: value_rows<3>(weights, values, chunk.count, chunk.depth, out, stride); break;
        default: value_rows<4>(weights, values, chunk.count, chunk.depth, out, stride); break;
      }
    }
  });
}

}  // namespace limen::cpu::LIMEN_SIMD_TARGET
