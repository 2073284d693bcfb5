// Tiles of rows (page_rows.cuh) for kernels in which groups of lanes take some rows each: a group goes from one of its
// rows to the next in equal steps, so that most of the arithmetic of an address is done once.

#pragma once

#include "device/page_rows.cuh"

namespace limen {

// Where a group begins within its tile, and how far it goes each step. All sizes are powers of two.
struct GroupTiles {
  uint32_t token_shift = 0, token_mask = 0, head_shift = 0, head_mask = 0;
  uint32_t token_step = 0, head_step = 0;

  template <Paging kPaging>
  __device__ __forceinline__ RowPlace place(const PageRows& rows, const RowTile& tile, uint32_t group, int step) const {
    const uint32_t token = tile.first_token + ((group >> token_shift) & token_mask) +
                           static_cast<uint32_t>(step) * token_step;
    const uint32_t head =
        tile.first_head + ((group >> head_shift) & head_mask) + static_cast<uint32_t>(step) * head_step;
    return rows.place<kPaging>(tile, token, head, true);
  }
};

inline bool counts_in_31_bits(uint64_t count) { return count < (uint64_t{1} << 31); }

// Makes one axis of two that every side walks in one step: tiles are then full whatever the sizes of the axes, and a
// page of two heads costs no more than one of thirty-two. Sides without data are left out.
template <int kSides>
void join_axes(PageRows& rows, RowSide* const (&sides)[kSides], Paging paging) {
  const auto all = [&](auto fact) {
    return std::all_of(sides, sides + kSides,
                       [&](const RowSide* side) { return side->data == nullptr || fact(*side); });
  };
  const bool paged = paging != Paging::kNone;
  const uint64_t heads = rows.heads, both = heads * rows.tokens;
  if (heads > 1 && counts_in_31_bits(both) && counts_in_31_bits(heads * rows.page_size.divisor()) &&
      all([&](const RowSide& side) { return side.token == side.head * heads; })) {
    // Heads follow one another within a token.
    rows.length_unit = rows.heads;
    rows.page_size = FastDivisor(static_cast<int64_t>(heads * rows.page_size.divisor()));
    for (RowSide* side : sides) side->token = side->head;
  } else if (heads > 1 && counts_in_31_bits(both) && !paged && rows.lengths == nullptr &&
             all([&](const RowSide& side) { return side.head == uint64_t{side.token} * rows.tokens; })) {
    // Tokens follow one another within a head.
  } else if (heads > 1) {
    return;
  }
  if (heads > 1) {
    rows.tokens = static_cast<uint32_t>(both);
    rows.heads = 1;
    for (RowSide* side : sides) side->head = 0;
  }
  if (rows.batches > 1 && !paged && rows.lengths == nullptr &&
      counts_in_31_bits(uint64_t{rows.tokens} * rows.batches) &&
      all([&](const RowSide& side) { return side.outer == int64_t{side.token} * rows.tokens; })) {
    rows.tokens *= rows.batches;
    rows.batches = 1;
  }
}

inline uint32_t power_from(uint32_t size) {
  uint32_t power = 1;
  while (power < size) power *= 2;
  return power;
}

// Tiles for `groups` groups (a power of two) of `steps` rows each. Lowers `groups`, down to `fewest`, where a tile
// would be larger than the axes. The axis whose rows lie closer together in the target goes inside.
inline GroupTiles choose_group_tiles(PageRows& rows, uint32_t& groups, uint32_t fewest, uint32_t steps,
                                     const RowSide& target) {
  rows.tokens_inside = rows.heads == 1 || (rows.tokens > 1 && target.token < target.head);
  const uint32_t inner = power_from(rows.tokens_inside ? rows.tokens : rows.heads);
  const uint32_t outer = power_from(rows.tokens_inside ? rows.heads : rows.tokens);
  while (groups > fewest && uint64_t{groups / 2} * steps >= uint64_t{inner} * outer) groups /= 2;
  const uint32_t tile_rows = groups * steps;
  uint32_t side = 1;
  while (side * side < tile_rows) side *= 2;
  // Groups stand side by side along the inner axis first. They step along the outer one, if there is one.
  const uint32_t inner_groups = std::min({groups, inner, std::max(side, tile_rows / std::min(tile_rows, outer))});
  const uint32_t outer_groups = groups / inner_groups;
  const bool steps_outside = outer > 1;
  const uint32_t tile_in = steps_outside ? inner_groups : inner_groups * steps;
  const uint32_t tile_out = steps_outside ? outer_groups * steps : outer_groups;
  uint32_t shift = 0;
  while ((1u << shift) < inner_groups) ++shift;

  GroupTiles tiles;
  const bool tokens_inside = rows.tokens_inside;
  (tokens_inside ? tiles.token_mask : tiles.head_mask) = inner_groups - 1;
  (tokens_inside ? tiles.head_mask : tiles.token_mask) = outer_groups - 1;
  (tokens_inside ? tiles.head_shift : tiles.token_shift) = shift;
  (tokens_inside == steps_outside ? tiles.head_step : tiles.token_step) = steps_outside ? outer_groups : inner_groups;
  rows.tile_tokens = tokens_inside ? tile_in : tile_out;
  rows.tile_heads = tokens_inside ? tile_out : tile_in;
  rows.token_tiles = FastDivisor((static_cast<int64_t>(rows.tokens) + rows.tile_tokens - 1) / rows.tile_tokens);
  rows.head_tiles = FastDivisor((static_cast<int64_t>(rows.heads) + rows.tile_heads - 1) / rows.tile_heads);
  return tiles;
}

}  // namespace limen
