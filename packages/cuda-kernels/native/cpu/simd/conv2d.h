// Convolution as a matrix product that is never laid out: the input pixels under a tile are copied once, widened and
// with their zero padding, and each output pixel then reads kernel_height runs of kernel_width · channels floats.

#pragma once

#include "cpu/simd/epilogue.h"
#include "cpu/simd/tile.h"

namespace limen::cpu::LIMEN_SIMD_TARGET {

template <typename T>
inline void copy_input(const ConvTask& task, const ConvTile& tile, int64_t slab_rows, int64_t slab_columns,
                       float* slab) {
  const int64_t top = tile.row_begin * task.stride - task.padding;
  const int64_t left = tile.column_begin * task.stride - task.padding;
  // Columns of the slab that lie inside the image.
  int64_t inside_begin = left < 0 ? -left : 0;
  int64_t inside_end = task.width - left < slab_columns ? task.width - left : slab_columns;
  if (inside_begin > slab_columns) inside_begin = slab_columns;
  if (inside_end < inside_begin) inside_end = inside_begin;
  const T* image = static_cast<const T*>(task.x) + tile.image * task.height * task.width * task.channels;
  for (int64_t row = 0; row < slab_rows; ++row) {
    float* target = slab + row * slab_columns * task.channels;
    const int64_t y = top + row;
    if (y < 0 || y >= task.height || inside_begin == inside_end) {
      zero_row(target, slab_columns * task.channels);
      continue;
    }
    zero_row(target, inside_begin * task.channels);
    widen_row(image + (y * task.width + left + inside_begin) * task.channels, target + inside_begin * task.channels,
              (inside_end - inside_begin) * task.channels);
    zero_row(target + inside_end * task.channels, (slab_columns - inside_end) * task.channels);
  }
}

// Scratch: the input slab, then the sums of one panel for all pixels of the tile.
inline void conv2d_tile(const ConvTask& task, const ConvTile& tile, float* scratch) {
  const int64_t tile_rows = tile.row_end - tile.row_begin;
  const int64_t tile_columns = tile.column_end - tile.column_begin;
  const int64_t slab_rows = (tile_rows - 1) * task.stride + task.kernel_height;
  const int64_t slab_columns = (tile_columns - 1) * task.stride + task.kernel_width;
  float* slab = scratch;
  float* sums = scratch + slab_rows * slab_columns * task.channels;
  with_float_type(task.type, [&](auto tag) {
    copy_input<typename decltype(tag)::type>(task, tile, slab_rows, slab_columns, slab);
  });

  const int64_t pixels = tile_rows * tile_columns;
  const int64_t run = task.kernel_width * task.channels;
  const int64_t row_stride = slab_columns * task.channels;
  const int64_t depth = task.kernel_height * run;
  // Kernel rows at a time, so that their part of the panel stays in the cache while all pixels pass.
  int64_t kernel_rows = 2 * kDepthBlock / run;
  if (kernel_rows < 1) kernel_rows = 1;
  if (kernel_rows > task.kernel_height) kernel_rows = task.kernel_height;

  for (int64_t index = tile.panel_begin; index < tile.panel_end; ++index) {
    const int64_t first = index * kPanel;
    const int64_t columns = task.out_channels - first < kPanel ? task.out_channels - first : kPanel;
    const float* panel = task.panels + first * depth;
    for (int64_t kernel_row = 0; kernel_row < task.kernel_height; kernel_row += kernel_rows) {
      const int64_t left = task.kernel_height - kernel_row;
      const Segments segments = {left < kernel_rows ? left : kernel_rows, run, row_stride};
      int64_t row = 0, column = 0;
      for (int64_t pixel = 0; pixel < pixels; pixel += kTileRows) {
        const int64_t count = pixels - pixel < kTileRows ? pixels - pixel : kTileRows;
        const float* rows[kTileRows];
        for (int64_t r = 0; r < count; ++r) {
          rows[r] = slab + (row * task.stride + kernel_row) * row_stride + column * task.stride * task.channels;
          if (++column == tile_columns) {
            column = 0;
            ++row;
          }
        }
        panel_tile_any(count, columns, rows, segments, panel + kernel_row * run * kPanel, sums + pixel * kPanel,
                       kPanel, kernel_row > 0);
      }
    }
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      const int64_t y = tile.row_begin + pixel / tile_columns;
      const int64_t x = tile.column_begin + pixel % tile_columns;
      const int64_t output = (tile.image * task.out_height + y) * task.out_width + x;
      finish_row(task.epilogue, sums + pixel * kPanel, output, first, columns);
    }
  }
}

}  // namespace limen::cpu::LIMEN_SIMD_TARGET
