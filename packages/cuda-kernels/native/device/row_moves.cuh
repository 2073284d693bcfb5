// Moves rows bit by bit between two places of which one may be pages: the kernel behind transposeHeads,
// contiguousToPages, pagesToContiguous, swapPageLayout and same-format conversions.
//
// Launch: 128 threads, two words of sixteen bytes each or eight narrower ones; a block is one tile of rows
// (page_rows.cuh), or a piece of one very long row. All loads of a thread are on their way before the first store.
// Addresses are 64-bit, found with multiplications only. Loads and stores are marked as used once: on an H200 that and
// small blocks bring the last few per cent of the bandwidth, while loads that pass L1 lose some. Bound by memory: every
// byte is read once and written once, in runs of a row or more.

#pragma once

#include "core/cuda_check.h"
#include "device/page_rows.cuh"
#include "device/row_copy.cuh"

namespace limen {

inline constexpr int kMoveThreads = 128;
// Words of a thread, by their size.
__host__ __device__ constexpr int moves_per_thread(int word_bytes) { return word_bytes == 16 ? 2 : 8; }
constexpr uint32_t move_tile(int word_bytes) {
  return static_cast<uint32_t>(kMoveThreads * moves_per_thread(word_bytes));
}

struct RowMove {
  PageRows rows;
  RowSide source, target;
  uint32_t words = 0;       // of a row
  uint32_t tile_words = 1;  // of a row, in one tile
  FastDivisor tile_word_divisor, word_tiles;
};

template <typename Word, Paging kPaging>
__global__ void __launch_bounds__(kMoveThreads) move_rows_kernel(const __grid_constant__ RowMove move) {
  uint32_t tile_index;
  const uint32_t first_word = move.word_tiles.divide(blockIdx.x, tile_index) * move.tile_words;
  const RowTile tile = move.rows.tile(tile_index);

  constexpr int kMoves = moves_per_thread(sizeof(Word));
  const Word* from[kMoves];
  Word* to[kMoves];
  // Flags, not null addresses: ptxas 13.0 once let a warp load from a null address that the kernel had tested.
  bool reads[kMoves], writes[kMoves];
#pragma unroll
  for (int i = 0; i < kMoves; ++i) {
    uint32_t row;
    const uint32_t word = first_word + move.tile_word_divisor.divide(threadIdx.x + i * kMoveThreads, row);
    const RowPlace place = move.rows.place<kPaging>(tile, row);
    reads[i] = place.reads && word < move.words;
    writes[i] = place.action != RowAction::kSkip && word < move.words;
    // Addresses of what is neither read nor written mean nothing.
    const char* const source = move.source.row(place.source_outer, place.source_token, place.head);
    char* const target = move.target.row(place.target_outer, place.target_token, place.head);
    from[i] = reinterpret_cast<const Word*>(source) + word;
    to[i] = reinterpret_cast<Word*>(target) + word;
  }
  Word moved[kMoves];
#pragma unroll
  for (int i = 0; i < kMoves; ++i) {
    moved[i] = Word{};
    if (reads[i]) moved[i] = __ldcs(from[i]);
  }
#pragma unroll
  for (int i = 0; i < kMoves; ++i) {
    if (writes[i]) __stcs(to[i], moved[i]);
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
  const uint32_t tile = move_tile(bytes);
  const uint32_t pieces = (move.words + tile - 1) / tile;
  move.tile_words = (move.words + pieces - 1) / pieces;
  move.tile_word_divisor = FastDivisor(move.tile_words);
  move.word_tiles = FastDivisor(pieces);
  rows.choose_tiles(tile / move.tile_words, target);
  move.rows = rows;
  const unsigned grid = row_count(op, "the number of tiles", rows.tiles() * pieces);
  dispatch_word(bytes, [&](auto word) {
    using Word = decltype(word);
    move_rows_kernel<Word, kPaging><<<grid, kMoveThreads, 0, stream>>>(move);
    LIMEN_CHECK_LAUNCH(move_rows_kernel);
  });
}

}  // namespace limen
