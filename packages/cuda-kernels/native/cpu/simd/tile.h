// The two register tiles that hold nearly all the arithmetic.
//
// panel_tile: c[R][kPanel] += a[R][K] · panel[K][kPanel]. Vectors run along the columns, rows are broadcast. For many
//             rows: the packed panel is read once per R rows.
// dot_tile:   out[R][C] = x[R][K] · w[C][K]ᵀ. Vectors run along K and are summed at the end. For few rows: the weight
//             is used as it lies in memory, in its storage type.
//
// Every sum runs over K in the same order whatever the tile, so results do not depend on how the work was split.

#pragma once

#include "cpu/simd/vector.h"

namespace limen::cpu::LIMEN_SIMD_TARGET {

// The rows of `a` may be cut in segments: a convolution reads kernel_height runs that lie one image row apart.
struct Segments {
  int64_t count = 1;
  int64_t length = 0;
  int64_t stride = 0;
};

// c has rows of `c_stride`; `accumulate` goes on from what it holds. V = 1 leaves the second half of the panel out.
template <int R, int V>
inline void panel_tile(const float* const* rows, Segments segments, const float* panel, float* c, int64_t c_stride,
                       bool accumulate) {
  Vec sum[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) sum[r][v] = accumulate ? load(c + r * c_stride + v * kLanes) : Vec{};
  }
  for (int64_t segment = 0; segment < segments.count; ++segment) {
    const float* a[R];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) a[r] = rows[r] + segment * segments.stride;
    for (int64_t k = 0; k < segments.length; ++k) {
      Vec b[V];
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) b[v] = load(panel + v * kLanes);
      panel += kPanel;
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const Vec x = splat(a[r][k]);
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) sum[r][v] = fma(x, b[v], sum[r][v]);
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) store(c + r * c_stride + v * kLanes, sum[r][v]);
  }
}

template <int V, int R = kTileRows>
inline void panel_tile_of(int64_t count, const float* const* rows, Segments segments, const float* panel, float* c,
                          int64_t c_stride, bool accumulate) {
  if constexpr (R >= 1) {
    if (count == R) return panel_tile<R, V>(rows, segments, panel, c, c_stride, accumulate);
    panel_tile_of<V, R - 1>(count, rows, segments, panel, c, c_stride, accumulate);
  }
}

// count ≤ kTileRows rows against the first `columns` columns of the panel (what lies beyond is not meaningful in c).
inline void panel_tile_any(int64_t count, int64_t columns, const float* const* rows, Segments segments,
                           const float* panel, float* c, int64_t c_stride, bool accumulate) {
  if (columns > kLanes) {
    panel_tile_of<2>(count, rows, segments, panel, c, c_stride, accumulate);
  } else {
    panel_tile_of<1>(count, rows, segments, panel, c, c_stride, accumulate);
  }
}

template <int R, int C, typename W>
inline void dot_tile(const float* const* x, const W* const* w, int64_t depth, float* out, int64_t out_stride) {
  Vec sum[R][C];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) sum[r][c] = Vec{};
  }
  const int64_t whole = depth - depth % kLanes;
  for (int64_t k = 0; k < whole; k += kLanes) {
    Vec b[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) b[c] = load(w[c] + k);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const Vec a = load(x[r] + k);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sum[r][c] = fma(a, b[c], sum[r][c]);
    }
  }
  if (whole < depth) {
    Vec b[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) b[c] = load_partial(w[c] + whole, depth - whole);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const Vec a = load_partial(x[r] + whole, depth - whole);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sum[r][c] = fma(a, b[c], sum[r][c]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int c = 0; c < C; c += 4) {
      float sums[4];
      reduce_add4(sum[r][c], c + 1 < C ? sum[r][c + 1 < C ? c + 1 : 0] : Vec{},
                  c + 2 < C ? sum[r][c + 2 < C ? c + 2 : 0] : Vec{},
                  c + 3 < C ? sum[r][c + 3 < C ? c + 3 : 0] : Vec{}, sums);
      for (int i = 0; i < 4 && c + i < C; ++i) out[r * out_stride + c + i] = sums[i];
    }
  }
}

// Weight rows that R rows of x share per tile: as many as registers allow.
template <int R>
constexpr int kDotColumns = R <= 2 || kLanes == 16 ? 4 : 3;

// R rows against `columns` weight rows.
template <int R, typename W>
inline void dot_rows(const float* const* x, const W* const* w, int64_t columns, int64_t depth, float* out,
                     int64_t out_stride) {
  constexpr int C = kDotColumns<R>;
  int64_t column = 0;
  for (; column + C <= columns; column += C) dot_tile<R, C>(x, w + column, depth, out + column, out_stride);
  for (; column < columns; ++column) dot_tile<R, 1>(x, w + column, depth, out + column, out_stride);
}

// out[rows][columns] = x · wᵀ, four rows at a time.
template <typename W>
inline void dot_block(const float* x, int64_t x_stride, int64_t rows, const W* const* w, int64_t columns,
                      int64_t depth, float* out, int64_t out_stride) {
  for (int64_t row = 0; row < rows;) {
    const int64_t left = rows - row;
    const int64_t take = left == 5 ? 3 : left < 4 ? left : 4;  // five rows as 3 + 2 rather than 4 + 1
    const float* a[4];
    for (int64_t r = 0; r < take; ++r) a[r] = x + (row + r) * x_stride;
    float* target = out + row * out_stride;
    switch (take) {
      case 1: dot_rows<1>(a, w, columns, depth, target, out_stride); break;
      case 2: dot_rows<2>(a, w, columns, depth, target, out_stride); break;
      case 3: dot_rows<3>(a, w, columns, depth, target, out_stride); break;
      default: dot_rows<4>(a, w, columns, depth, target, out_stride); break;
    }
    row += take;
  }
}

}  // namespace limen::cpu::LIMEN_SIMD_TARGET
