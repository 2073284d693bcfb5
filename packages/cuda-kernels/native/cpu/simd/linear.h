// Linear layers. Few rows: dot products against the weight as stored. Many rows: packed panels.

#pragma once

#include "cpu/simd/epilogue.h"
#include "cpu/simd/tile.h"

namespace limen::cpu::LIMEN_SIMD_TARGET {

constexpr int64_t kDotRowLimit = 32;

inline void linear_dot(const LinearTask& task, int64_t rows, int64_t begin, int64_t end) {
  constexpr int64_t kBlock = 24;  // columns at a time: a multiple of every kDotColumns
  with_type(task.weight_type, [&](auto tag) {
    using W = typename decltype(tag)::type;
    float sums[kDotRowLimit * kBlock];
    for (int64_t column = begin; column < end; column += kBlock) {
      const int64_t count = end - column < kBlock ? end - column : kBlock;
      const W* weights[kBlock];
      for (int64_t c = 0; c < count; ++c) {
        weights[c] = static_cast<const W*>(task.weight) + (column + c) * task.depth;
      }
      dot_block(task.x, task.x_stride, rows, weights, count, task.depth, sums, kBlock);
      for (int64_t row = 0; row < rows; ++row) finish_row(task.epilogue, sums + row * kBlock, row, column, count);
    }
  });
}

inline void linear_panels(const LinearTask& task, int64_t row_begin, int64_t row_end, int64_t panel_begin,
                          int64_t panel_end, float* scratch) {
  float* panel = scratch;
  float* sums = scratch + kDepthBlock * kPanel;
  for (int64_t index = panel_begin; index < panel_end; ++index) {
    const int64_t first = index * kPanel;
    const int64_t columns = task.columns - first < kPanel ? task.columns - first : kPanel;
    for (int64_t k = 0; k == 0 || k < task.depth; k += kDepthBlock) {
      const int64_t depth = task.depth - k < kDepthBlock ? task.depth - k : kDepthBlock;
      with_type(task.weight_type, [&](auto tag) {
        using W = typename decltype(tag)::type;
        pack_panel(static_cast<const W*>(task.weight) + first * task.depth + k, task.depth, columns, depth, panel);
      });
      for (int64_t row = row_begin; row < row_end; row += kTileRows) {
        const int64_t count = row_end - row < kTileRows ? row_end - row : kTileRows;
        const float* rows[kTileRows];
        for (int64_t r = 0; r < count; ++r) rows[r] = task.x + (row + r) * task.x_stride + k;
        panel_tile_any(count, columns, rows, {1, depth, 0}, panel, sums + (row - row_begin) * kPanel, kPanel, k > 0);
      }
    }
    for (int64_t row = row_begin; row < row_end; ++row) {
      finish_row(task.epilogue, sums + (row - row_begin) * kPanel, row, first, columns);
    }
  }
}

}  // namespace limen::cpu::LIMEN_SIMD_TARGET
