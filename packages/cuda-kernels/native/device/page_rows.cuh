// Walking over the key or value vectors of a batch: rows numbered by (batch, token, head), of which one side may lie in
// pages that a table names. Kernels that move or convert rows (row_moves.cuh, vector_conversion.cuh) share it.
//
// A block takes a tile: some tokens by some heads of one batch row, near square, so that whichever of the two axes is
// dense in memory, both the source and the target are walked in runs of several rows. Rows of a tile are counted one by
// one (choose_tiles), or in equal steps (group_tiles.cuh).

#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "core/op_error.h"
#include "core/tensor_view.h"
#include "device/fast_division.cuh"

namespace limen {

// Which side lies in pages.
enum class Paging { kNone, kTarget, kSource };

// Where rows lie: the first one, and bytes between neighbours along each axis. `outer` is the axis of batch rows, or of
// pages; `token` counts within it. The inner two fit 32 bits: a product with an index is then one instruction, where a
// 64-bit one would take four, and addresses are a good part of what these kernels compute.
struct RowSide {
  char* data = nullptr;
  int64_t outer = 0;
  uint32_t token = 0;
  uint32_t head = 0;

  __device__ __forceinline__ char* row(uint32_t outer_index, uint32_t token_index, uint32_t head_index) const {
    return data + outer_index * outer + static_cast<uint64_t>(token_index) * token +
           static_cast<uint64_t>(head_index) * head;
  }
};

inline uint32_t inner_stride(int64_t bytes) {
  if (bytes >= 0 && bytes < (int64_t{1} << 32)) return static_cast<uint32_t>(bytes);
  throw OpError("LAYOUT", "rows of a cache are too far apart: expected tokens and heads within 4 GiB of the next, got " +
                              std::to_string(bytes) + " bytes. Use contiguous(tensor) first.");
}

// A [.., tokens, heads, elements] view of rank 4 as a side; axes of size 1 count as dense.
inline RowSide row_side(const TensorView& view) {
  const int64_t bytes = static_cast<int64_t>(size_of(view.dtype));
  RowSide side;
  side.data = view.as<char>();
  side.outer = view.shape[0] > 1 ? view.stride[0] * bytes : 0;
  side.token = view.shape[1] > 1 ? inner_stride(view.stride[1] * bytes) : 0;
  side.head = view.shape[2] > 1 ? inner_stride(view.stride[2] * bytes) : 0;
  return side;
}
inline bool is_multiple(const RowSide& side, uint64_t bytes) {
  const uint64_t facts = reinterpret_cast<uintptr_t>(side.data) | static_cast<uint64_t>(side.outer) |
                         side.token | side.head;
  return facts % bytes == 0;
}

// What is to be done with a row.
enum class RowAction { kSkip, kClear, kMove };

struct RowPlace {
  uint32_t source_outer, source_token, target_outer, target_token, head;
  RowAction action;
  bool reads;  // the source may be read, even if the action, which a page may decide, is to skip
};

struct RowTile {
  uint32_t batch, first_token, first_head;
  uint32_t length;  // tokens of this batch row that exist
};

struct PageRows {
  uint32_t batches = 0, tokens = 0, heads = 0;
  const int* lengths = nullptr;     // [batches], or null: all tokens exist
  uint32_t length_unit = 1;         // what a token counts for along the axis of tokens
  const int* page_table = nullptr;  // [batches, pages_per_sequence]
  uint32_t pages_per_sequence = 0, pages = 0;
  FastDivisor page_size;
  // Tiles: rows of one are numbered with tokens inside heads, or heads inside tokens.
  bool tokens_inside = false;
  uint32_t tile_tokens = 1, tile_heads = 1;
  FastDivisor tile_inner, token_tiles, head_tiles;

  __host__ __device__ uint32_t tile_rows() const { return tile_tokens * tile_heads; }
  int64_t tiles() const {
    return static_cast<int64_t>(batches) * token_tiles.divisor() * head_tiles.divisor();
  }

  // Chooses tiles of at most `rows` rows. The axis whose rows lie closer together in the target goes inside.
  void choose_tiles(uint32_t rows, const RowSide& target) {
    tokens_inside = heads == 1 || (tokens > 1 && target.token < target.head);
    const uint32_t inner = tokens_inside ? tokens : heads;
    const uint32_t outer = tokens_inside ? heads : tokens;
    uint32_t side = 1;
    while (side * side < rows) side *= 2;
    // A short axis leaves the rest of the tile to the other one; a long one is cut into equal pieces.
    const auto cut = [](uint32_t size, uint32_t most) {
      const uint32_t pieces = (size + most - 1) / most;
      return (size + pieces - 1) / pieces;
    };
    uint32_t tile_in = cut(inner, std::max<uint32_t>(1, std::max(side, rows / std::max<uint32_t>(1, outer))));
    tile_in = std::min(tile_in, rows);
    const uint32_t tile_out = cut(outer, std::max<uint32_t>(1, rows / tile_in));
    tile_tokens = tokens_inside ? tile_in : tile_out;
    tile_heads = tokens_inside ? tile_out : tile_in;
    tile_inner = FastDivisor(tile_in);
    token_tiles = FastDivisor((static_cast<int64_t>(tokens) + tile_tokens - 1) / tile_tokens);
    head_tiles = FastDivisor((static_cast<int64_t>(heads) + tile_heads - 1) / tile_heads);
  }

  __device__ __forceinline__ RowTile tile(uint32_t index) const {
    RowTile tile;
    uint32_t rest;
    tile.first_head = head_tiles.divide(index, rest) * tile_heads;
    tile.first_token = token_tiles.divide(rest, tile.batch) * tile_tokens;
    tile.length = tokens;
    if (lengths != nullptr) {
      const int64_t length = static_cast<int64_t>(lengths[tile.batch]) * length_unit;
      tile.length = static_cast<uint32_t>(max(int64_t{0}, min(length, static_cast<int64_t>(tokens))));
    }
    return tile;
  }

  // Row `row` of a tile.
  template <Paging kPaging>
  __device__ __forceinline__ RowPlace place(const RowTile& tile, uint32_t row) const {
    uint32_t outer;
    const uint32_t inner = tile_inner.divide(row, outer);
    const uint32_t token = tile.first_token + (tokens_inside ? inner : outer);
    const uint32_t head = tile.first_head + (tokens_inside ? outer : inner);
    return place<kPaging>(tile, token, head, outer < (tokens_inside ? tile_heads : tile_tokens));
  }

  // The row of a token and head. Tokens that do not exist, and tokens of a page that is not in the pool, have no place
  // in pages and are zeros outside of them.
  template <Paging kPaging>
  __device__ __forceinline__ RowPlace place(const RowTile& tile, uint32_t token, uint32_t head, bool in_tile) const {
    RowPlace place;
    place.head = head;
    place.source_outer = place.target_outer = tile.batch;
    place.source_token = place.target_token = token;
    const bool valid = in_tile && token < tokens && head < heads;
    bool has_page = true;
    if constexpr (kPaging != Paging::kNone) {
      // The table is asked whether or not the token exists: page and length are then waited for together, not in turn.
      uint32_t turn;
      const uint32_t slot = page_size.divide(token, turn);
      int page = -1;
      if (valid && turn < pages_per_sequence) {
        page = page_table[static_cast<uint64_t>(tile.batch) * pages_per_sequence + turn];
      }
      has_page = page >= 0 && page < static_cast<int>(pages);
      (kPaging == Paging::kTarget ? place.target_outer : place.source_outer) = static_cast<uint32_t>(page);
      (kPaging == Paging::kTarget ? place.target_token : place.source_token) = slot;
    }
    const bool exists = valid && token < tile.length;
    place.action = exists && has_page                      ? RowAction::kMove
                   : valid && kPaging != Paging::kTarget ? RowAction::kClear
                                                         : RowAction::kSkip;
    place.reads = exists && (has_page || kPaging == Paging::kTarget);
    return place;
  }
};

// Sizes as the kernels count them.
inline uint32_t row_count(const char* op, const char* what, int64_t count) {
  if (count < (int64_t{1} << 31)) return static_cast<uint32_t>(count);
  throw OpError("SHAPE_MISMATCH", std::string(op) + ": " + what + " is too large: expected fewer than 2^31, got " +
                                      std::to_string(count) + ". Split the call.");
}

// Rows of a contiguous [B, S, K, D] side.
inline PageRows rows_of(const char* op, const TensorView& view) {
  PageRows rows;
  rows.batches = row_count(op, "the first axis", view.shape[0]);
  rows.tokens = row_count(op, "the second axis", view.shape[1]);
  rows.heads = row_count(op, "the third axis", view.shape[2]);
  return rows;
}
// The same between that side and pages [G, P, K, E].
inline PageRows rows_in_pages(const char* op, const TensorView& view, const TensorView& pages,
                              const TensorView& page_table, const TensorView& lengths) {
  PageRows rows = rows_of(op, view);
  rows.lengths = lengths.as<const int>();
  rows.page_table = page_table.as<const int>();
  rows.pages_per_sequence = row_count(op, "the page table", page_table.shape[1]);
  rows.pages = row_count(op, "the pool", pages.shape[0]);
  rows.page_size = FastDivisor(std::max<int64_t>(1, row_count(op, "the page", pages.shape[1])));
  return rows;
}

}  // namespace limen
