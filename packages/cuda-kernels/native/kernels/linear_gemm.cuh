// Tiled matrix product y[M, N] = x[M, K] · weight[N, K]ᵀ for many rows: what linear uses where cuBLASLt is absent or
// the operands are not aligned, and what linear_int8 uses for its weights.
//
// Geometry: block ↔ one tile of y; 128 × 128 by 8 warps, or 64 × 64 by 4 warps when the larger tile would leave
// multiprocessors idle; f32 on plain arithmetic units, 64 × 64 by 256 threads. blockIdx.x ↔ rows, .y ↔ columns.
// Shared memory: 4 stages × (tile rows + tile columns) × 64 B, 64 KiB for the large tile.

#pragma once

#include "device/gemm_tile.cuh"
#include "device/launch.cuh"
#include "device/projection.cuh"

namespace limen {

using LargeTile = TensorTile<128, 128, 2, 4, 4>;
using SmallTile = TensorTile<64, 64, 2, 2, 4>;

template <typename T, typename Tile, typename CursorB, bool kAlignedX, typename Weight>
__global__ void __launch_bounds__(Tile::kThreads, 2)
    linear_gemm_kernel(const T* __restrict__ x, const Weight* __restrict__ weight, Projection<T> out, int64_t length) {
  extern __shared__ __align__(128) unsigned char shared_bytes[];
  const int64_t row0 = static_cast<int64_t>(blockIdx.x) * Tile::kTileM;
  const int64_t column0 = static_cast<int64_t>(blockIdx.y) * Tile::kTileN;
  const int row = threadIdx.x / 4, k = (threadIdx.x % 4) * 8;
  wait_for_upstream();
  MatrixCursor<T, Tile::kRowsA, kAlignedX> a(x, out.rows, length, row0 + row, Tile::kRowStep, k);
  CursorB b(weight, out.columns, length, column0 + row, Tile::kRowStep, k);
  float sum[Tile::kBlocksM][Tile::kBlocksN][4] = {};
  const int64_t k_tiles = (length + Tile::kTileK - 1) / Tile::kTileK;
  multiply_tile<Tile, T>(a, b, k_tiles, reinterpret_cast<T*>(shared_bytes), sum);
  for_each_pair<Tile>(sum, [&](int r, int c, float first, float second) {
    out.store_pair(row0 + r, column0 + c, first, second);
  });
}

template <typename CursorB, typename Weight>
__global__ void __launch_bounds__(PlainTile::kThreads)
    linear_gemm_plain_kernel(const float* __restrict__ x, const Weight* __restrict__ weight, Projection<float> out,
                             int64_t length) {
  const int64_t row0 = static_cast<int64_t>(blockIdx.x) * PlainTile::kTileM;
  const int64_t column0 = static_cast<int64_t>(blockIdx.y) * PlainTile::kTileN;
  const int row = threadIdx.x / 4, k = (threadIdx.x % 4) * 4;
  wait_for_upstream();
  MatrixCursor<float, 1, false> a(x, out.rows, length, row0 + row, 0, k);
  CursorB b(weight, out.columns, length, column0 + row, 0, k);
  float sum[4][4] = {};
  multiply_tile_plain(a, b, (length + PlainTile::kTileK - 1) / PlainTile::kTileK, sum);
  const int64_t first_row = row0 + (threadIdx.x / 16) * 4, first_column = column0 + (threadIdx.x % 16) * 4;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    out.store_pair(first_row + i, first_column, sum[i][0], sum[i][1]);
    out.store_pair(first_row + i, first_column + 2, sum[i][2], sum[i][3]);
  }
}

inline dim3 tile_grid(int64_t rows, int64_t columns, int tile_rows, int tile_columns) {
  return dim3(static_cast<unsigned>(ceil_div(rows, tile_rows)), static_cast<unsigned>(ceil_div(columns, tile_columns)));
}
// Whether tiles of 128 × 128 are enough to occupy a large device (132 multiprocessors).
inline bool fills_device(int64_t rows, int64_t columns) {
  return ceil_div(rows, 128) * ceil_div(columns, 128) >= 120;
}

// WeightRows::Cursor<kRows> follows kRows rows of the weight.
template <typename T, typename WeightRows, bool kAlignedX, typename Weight>
void launch_gemm(const T* x, const Weight* weight, const Projection<T>& out, int64_t length, cudaStream_t stream) {
  Launch launch;
  launch.stream = stream;
  launch.overlap = true;
  if constexpr (sizeof(T) == 4) {
    launch.grid = tile_grid(out.rows, out.columns, PlainTile::kTileM, PlainTile::kTileN);
    launch.block = dim3(PlainTile::kThreads);
    launch_kernel(launch, linear_gemm_plain_kernel<typename WeightRows::template Cursor<1>, Weight>, x, weight, out, length);
  } else {
    const auto start = [&](auto tile) {
      using Tile = decltype(tile);
      using Cursor = typename WeightRows::template Cursor<Tile::kRowsB>;
      launch.grid = tile_grid(out.rows, out.columns, Tile::kTileM, Tile::kTileN);
      launch.block = dim3(Tile::kThreads);
      launch.shared_bytes = Tile::kSharedBytes;
      launch_kernel(launch, linear_gemm_kernel<T, Tile, Cursor, kAlignedX, Weight>, x, weight, out, length);
    };
    if (fills_device(out.rows, out.columns)) {
      start(LargeTile{});
    } else {
      start(SmallTile{});
    }
  }
}

}  // namespace limen
