// The inner loop of every tiled product C[M×N] = A[M×K] · B[N×K]ᵀ: tensor cores for f16 and bf16, plain f32 else.
// A and B come through cursors, which hide where their rows live (matrix, image patches, packed weights).
//
// A cursor follows kRows rows of one operand along k, eight elements (or four, for f32) at a time:
//   static constexpr bool kAsync        pointer() works: eight elements lie together and 16-byte aligned
//   const T* pointer(int i) const       the current elements of row i, or null where they read as zero
//   const T* anywhere() const           a mapped, 16-byte aligned address, the nominal source of copied zeros
//   uint4 / float element access        packed(i) gives eight elements of row i; value(i, j) gives element j as f32
//   void advance(int step)              moves all rows on by `step` elements of k

#pragma once

#include <cstdint>

#include "device/async_copy.cuh"
#include "device/convert.cuh"
#include "device/mma.cuh"

namespace limen {

// Rows of a row-major matrix [rows, K]. Rows past the end are clamped: what they give is never stored.
template <typename T, int kRows, bool kAligned>
struct MatrixCursor {
  static constexpr bool kAsync = kAligned;
  const T* row[kRows];
  int64_t k;
  int64_t length;

  __device__ MatrixCursor(const T* base, int64_t rows, int64_t length_, int64_t first_row, int row_step, int64_t k_)
      : k(k_), length(length_) {
#pragma unroll
    for (int i = 0; i < kRows; ++i) row[i] = base + min(first_row + i * row_step, rows - 1) * length_;
  }
  __device__ const T* pointer(int i) const { return k < length ? row[i] + k : nullptr; }
  __device__ const T* anywhere() const { return row[0]; }
  __device__ float value(int i, int j) const { return k + j < length ? to_float(row[i][k + j]) : 0.0f; }
  __device__ uint4 packed(int i) const {
    return make_uint4(pack2<T>(value(i, 0), value(i, 1)), pack2<T>(value(i, 2), value(i, 3)),
                      pack2<T>(value(i, 4), value(i, 5)), pack2<T>(value(i, 6), value(i, 7)));
  }
  __device__ void advance(int step) { k += step; }
};

// Geometry of a tensor-core tile. Stages of A and B lie one after the other in shared memory, rows of 32 values
// (64 bytes, four 16-byte chunks); chunk c of row r is stored at c ^ (r/2 % 4), which keeps ldmatrix free of bank
// conflicts without padding.
template <int kTileM_, int kTileN_, int kWarpsM_, int kWarpsN_, int kStages_>
struct TensorTile {
  static constexpr int kTileM = kTileM_, kTileN = kTileN_, kTileK = 32, kStages = kStages_;
  static constexpr int kWarpsM = kWarpsM_, kWarpsN = kWarpsN_, kThreads = 32 * kWarpsM * kWarpsN;
  static constexpr int kWarpM = kTileM / kWarpsM, kWarpN = kTileN / kWarpsN;
  static constexpr int kBlocksM = kWarpM / 16, kBlocksN = kWarpN / 8;
  static constexpr int kRowStep = kThreads / 4;  // four threads fill one row of 32 values
  static constexpr int kRowsA = kTileM / kRowStep, kRowsB = kTileN / kRowStep;
  static constexpr int kStageElements = (kTileM + kTileN) * kTileK;
  static constexpr int kSharedBytes = kStages * kStageElements * 2;
  static_assert(kBlocksN % 2 == 0 && kTileM % kRowStep == 0 && kTileN % kRowStep == 0, "tile does not divide");

  __device__ static int offset(int row, int chunk) { return row * kTileK + ((chunk ^ ((row >> 1) & 3)) << 3); }
};

// One operand's share of a stage, in two halves: `begin` issues the loads, `end` stores what had to pass through
// registers. Between them the tensor cores work on another stage.
template <typename Tile, typename T, int kRows, typename Cursor>
struct StageFill {
  uint4 held[Cursor::kAsync ? 1 : kRows];

  __device__ void begin(const Cursor& cursor, T* stage) {
    const int row = threadIdx.x / 4, chunk = threadIdx.x % 4;
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      if constexpr (Cursor::kAsync) {
        const T* source = cursor.pointer(i);
        copy_async16(stage + Tile::offset(row + i * Tile::kRowStep, chunk), source ? source : cursor.anywhere(),
                     source != nullptr);
      } else {
        held[i] = cursor.packed(i);
      }
    }
  }
  __device__ void end(T* stage) {
    if constexpr (!Cursor::kAsync) {
      const int row = threadIdx.x / 4, chunk = threadIdx.x % 4;
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
        *reinterpret_cast<uint4*>(stage + Tile::offset(row + i * Tile::kRowStep, chunk)) = held[i];
      }
    }
  }
};

// Accumulates the whole product of one tile.
template <typename Tile, typename T, typename CursorA, typename CursorB>
__device__ __forceinline__ void multiply_tile(CursorA& a, CursorB& b, int64_t k_tiles, T* shared,
                                              float (&sum)[Tile::kBlocksM][Tile::kBlocksN][4]) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int warp_row = (warp / Tile::kWarpsN) * Tile::kWarpM, warp_column = (warp % Tile::kWarpsN) * Tile::kWarpN;
  const auto stage_of = [&](int64_t index) { return shared + (index % Tile::kStages) * Tile::kStageElements; };
  StageFill<Tile, T, Tile::kRowsA, CursorA> fill_a;
  StageFill<Tile, T, Tile::kRowsB, CursorB> fill_b;
  const auto begin = [&](int64_t index) {
    fill_a.begin(a, stage_of(index));
    fill_b.begin(b, stage_of(index) + Tile::kTileM * Tile::kTileK);
    a.advance(Tile::kTileK);
    b.advance(Tile::kTileK);
  };
  const auto end = [&](int64_t index) {
    fill_a.end(stage_of(index));
    fill_b.end(stage_of(index) + Tile::kTileM * Tile::kTileK);
  };

  for (int index = 0; index < Tile::kStages - 1; ++index) {
    if (index < k_tiles) {
      begin(index);
      end(index);
    }
    commit_copies();  // also when empty: the count of groups must not depend on k_tiles
  }
  for (int64_t index = 0; index < k_tiles; ++index) {
    wait_for_copies<Tile::kStages - 2>();
    // Stage `index` is complete for everyone, and everyone is done with stage index − 1, which is filled next.
    __syncthreads();
    const int64_t next = index + Tile::kStages - 1;
    if (next < k_tiles) begin(next);
    commit_copies();

    const T* tile_a = stage_of(index);
    const T* tile_b = tile_a + Tile::kTileM * Tile::kTileK;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      uint32_t fragment_a[Tile::kBlocksM][4];
      uint32_t fragment_b[Tile::kBlocksN / 2][4];
#pragma unroll
      for (int i = 0; i < Tile::kBlocksM; ++i) {
        load_matrices(fragment_a[i], tile_a + Tile::offset(warp_row + i * 16 + lane % 16, half * 2 + lane / 16));
      }
#pragma unroll
      for (int j = 0; j < Tile::kBlocksN / 2; ++j) {
        const int row = warp_column + j * 16 + (lane / 16) * 8 + lane % 8;
        load_matrices(fragment_b[j], tile_b + Tile::offset(row, half * 2 + (lane / 8) % 2));
      }
#pragma unroll
      for (int i = 0; i < Tile::kBlocksM; ++i) {
#pragma unroll
        for (int j = 0; j < Tile::kBlocksN; ++j) {
          const uint32_t* words = fragment_b[j / 2] + (j % 2) * 2;
          mma_16x8x16<T>(sum[i][j], fragment_a[i][0], fragment_a[i][1], fragment_a[i][2], fragment_a[i][3], words[0],
                         words[1]);
        }
      }
    }
    if (next < k_tiles) end(next);
  }
}

// Calls store(row, column, two neighbouring sums) for every pair this thread holds; indices are inside the tile.
template <typename Tile, typename Store>
__device__ __forceinline__ void for_each_pair(const float (&sum)[Tile::kBlocksM][Tile::kBlocksN][4], Store store) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int row = (warp / Tile::kWarpsN) * Tile::kWarpM + lane / 4;
  const int column = (warp % Tile::kWarpsN) * Tile::kWarpN + (lane % 4) * 2;
#pragma unroll
  for (int i = 0; i < Tile::kBlocksM; ++i) {
#pragma unroll
    for (int j = 0; j < Tile::kBlocksN; ++j) {
      store(row + i * 16, column + j * 8, sum[i][j][0], sum[i][j][1]);
      store(row + i * 16 + 8, column + j * 8, sum[i][j][2], sum[i][j][3]);
    }
  }
}

// Plain f32: 64 × 64 outputs by 256 threads, 4 × 4 each, sixteen k at a time. Cursors follow one row, four k apart.
struct PlainTile {
  static constexpr int kTileM = 64, kTileN = 64, kTileK = 16, kThreads = 256;
};

template <typename CursorA, typename CursorB>
__device__ __forceinline__ void multiply_tile_plain(CursorA& a, CursorB& b, int64_t k_tiles, float (&sum)[4][4]) {
  static_assert(!CursorA::kAsync && !CursorB::kAsync, "plain tiles are read element by element");
  // k-major, padded so that the four threads of a row store to different banks.
  __shared__ float tile_a[PlainTile::kTileK][PlainTile::kTileM + 4];
  __shared__ float tile_b[PlainTile::kTileK][PlainTile::kTileN + 4];
  const int row = threadIdx.x / 4, k = (threadIdx.x % 4) * 4;
  const int row0 = (threadIdx.x / 16) * 4, column0 = (threadIdx.x % 16) * 4;
  for (int64_t index = 0; index < k_tiles; ++index) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      tile_a[k + j][row] = a.value(0, j);
      tile_b[k + j][row] = b.value(0, j);
    }
    a.advance(PlainTile::kTileK);
    b.advance(PlainTile::kTileK);
    __syncthreads();  // the tile is complete
#pragma unroll
    for (int step = 0; step < PlainTile::kTileK; ++step) {
      const float4 left = *reinterpret_cast<const float4*>(&tile_a[step][row0]);
      const float4 right = *reinterpret_cast<const float4*>(&tile_b[step][column0]);
      const float lefts[4] = {left.x, left.y, left.z, left.w}, rights[4] = {right.x, right.y, right.z, right.w};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) sum[i][j] = fmaf(lefts[i], rights[j], sum[i][j]);
      }
    }
    __syncthreads();  // everyone has read it: it may be overwritten
  }
}

}  // namespace limen
