// Moves rows bit by bit between two places of which one may be pages: the kernel behind transposeHeads,
// contiguousToPages, pagesToContiguous, swapPageLayout and same-format conversions.
//
// Launch: 256 threads, four words of up to sixteen bytes each; a block is one tile of rows (page_rows.cuh), or a piece
// of one very long row. All four loads of a thread are on their way before the first store. Addresses are 64-bit, found
// with multiplications only; the loads pass L1, which has nothing to gain. Bound by memory: every byte is read once and
// written once, in runs of a row or more.

#pragma once

#include "core/cuda_check.h"
#include "device/page_rows.cuh"
#include "device/row_copy.cuh"
#include "device/vector_io.cuh"

namespace limen {

inline constexpr int kMoveThreads = 256;
inline constexpr int kMovesPerThread = 4;
inline constexpr uint32_t kMoveTile = kMoveThreads * kMovesPerThread;

struct RowMove {
  PageRows rows;
  RowSide source, target;
  uint32_t words = 0;       // of a row
  uint32_t tile_words = 1;  // of a row, in one tile
  FastDivisor tile_word_divisor, word_tiles;
};

template <typename Word>
__device__ __forceinline__ Word load_word(const Word* pointer) {
  if constexpr (sizeof(Word) == 16) {
    return load16_raw_past_l1(pointer);
  } else {
    return *pointer;
  }
}

template <typename Word, Paging kPaging>
__global__ void __launch_bounds__(kMoveThreads) move_rows_kernel(const __grid_constant__ RowMove move) {
  uint32_t tile_index;
  const uint32_t first_word = move.word_tiles.divide(blockIdx.x, tile_index) * move.tile_words;
  const RowTile tile = move.rows.tile(tile_index);
  if (kPaging == Paging::kTarget && tile.first_token >= tile.length) return;

  const Word* from[kMovesPerThread];
  Word* to[kMovesPerThread];
#pragma unroll
  for (int i = 0; i < kMovesPerThread; ++i) {
    uint32_t row;
    const uint32_t word = first_word + move.tile_word_divisor.divide(threadIdx.x + i * kMoveThreads, row);
    const RowPlace place = move.rows.place<kPaging>(tile, row);
    from[i] = nullptr;
    to[i] = nullptr;
    if (place.action == RowAction::kSkip || word >= move.words) continue;
    to[i] = reinterpret_cast<Word*>(move.target.row(place.target_outer, place.target_token, place.head)) + word;
    if (place.action == RowAction::kClear) continue;
    from[i] = reinterpret_cast<const Word*>(move.source.row(place.source_outer, place.source_token, place.head)) + word;
  }
  Word moved[kMovesPerThread];
#pragma unroll
  for (int i = 0; i < kMovesPerThread; ++i) moved[i] = from[i] == nullptr ? Word{} : load_word(from[i]);
#pragma unroll
  for (int i = 0; i < kMovesPerThread; ++i) {
    if (to[i] != nullptr) *to[i] = moved[i];
  }
}

// Enqueues the moves of rows of `row_bytes` bytes. `rows` needs no tiles yet.
template <Paging kPaging>
void launch_row_moves(const char* op, PageRows rows, RowSide source, RowSide target, int64_t row_bytes,
                      cudaStream_t stream) {
  if (rows.batches == 0 || rows.tokens == 0 || rows.heads == 0 || row_bytes == 0) return;
  // Heads that follow one another on both sides are one long row.
  if (rows.heads > 1 && source.head == row_bytes && target.head == row_bytes) {
    row_bytes *= rows.heads;
    rows.heads = 1;
    source.head = target.head = 0;
  }
  int bytes = widest_word(static_cast<uint64_t>(row_bytes));
  while (!is_multiple(source, bytes) || !is_multiple(target, bytes)) bytes /= 2;
  RowMove move;
  move.source = source;
  move.target = target;
  move.words = row_count(op, "a row", row_bytes / bytes);
  const uint32_t pieces = (move.words + kMoveTile - 1) / kMoveTile;
  move.tile_words = (move.words + pieces - 1) / pieces;
  move.tile_word_divisor = FastDivisor(move.tile_words);
  move.word_tiles = FastDivisor(pieces);
  rows.choose_tiles(kMoveTile / move.tile_words, target);
  move.rows = rows;
  const unsigned grid = row_count(op, "the number of tiles", rows.tiles() * pieces);
  dispatch_word(bytes, [&](auto word) {
    using Word = decltype(word);
    move_rows_kernel<Word, kPaging><<<grid, kMoveThreads, 0, stream>>>(move);
    LIMEN_CHECK_LAUNCH(move_rows_kernel);
  });
}

}  // namespace limen
