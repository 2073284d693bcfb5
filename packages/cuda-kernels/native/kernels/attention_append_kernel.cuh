// A decode step of one layer in one launch: the new token's key and value are stored, and its queries attend to all keys.
//
// Launch by launch the step is a chain: append, attend, merge, each of which waits for the one before, reads a length, then
// a page number, then keys. Here everything that does not depend on the launch before comes before the wait: lengths,
// page numbers, angles, and the first keys and values, as many as the rings hold (about 96 KiB a block). Two blocks
// fit a multiprocessor, so the next layer fills its rings while this one computes. After the wait come the queries, the
// new token, the arithmetic of attention_decode_step.cuh and one exchange of sums within the cluster.
//
// Reading early is sound where the caller says that the cache is settled: the launch before may still run then, and launches
// before that one as far as it lets its successors start early; none of them may write what is read early.
// What the new token's page holds for it until then counts for nothing: its row of a stage is replaced when it is there.
//
// Geometry: block ↔ one split × one key head and up to 8 · kTiles of its queries × one sequence; cluster ↔ the splits of
// such a row, at most eight. The warps take tiles in turn, each with a softmax and a ring of its own.

#pragma once

#include "kernels/attention_append_end.cuh"
#include "kernels/attention_append_end_many.cuh"
#include "kernels/attention_append_token.cuh"

namespace limen {

// Tiles of a warp that are brought to L2 beyond those in its ring: 8 KiB. With up to eight queries on a key head a warp is
// done with a tile before memory idles, and more requests at once only delay its queries.
template <typename Format, int kHead, int kTiles>
inline constexpr int kLaterTiles =
    kTiles > 1 ? static_cast<int>(ceil_div(8192, DecodeShape<Format, kHead, kTiles>::kStageBytes)) : 0;

template <typename Format, int kHead, int kTiles>
__global__ void __launch_bounds__(AppendMemory<Format, kHead, kTiles>::kThreads, kHead > 128 ? 1 : 2)
    attention_append_kernel(const __grid_constant__ AppendAttentionArguments a,
                            const __grid_constant__ RotaryFrequencies frequencies) {
  using Memory = AppendMemory<Format, kHead, kTiles>;
  using Shape = typename Memory::Shape;
  using Ring = TileRing<Format, kHead, kTiles>;
  using Copies = NeighbourCopies<Format, kHead, kTiles>;
  extern __shared__ __align__(128) char memory[];
  const DecodeArguments& d = a.decode;
  const int warp = threadIdx.x / 32;
  const int key_head = a.chunks == 1 ? blockIdx.y : blockIdx.y / a.chunks, chunk = blockIdx.y - key_head * a.chunks;
  const int batch = blockIdx.z;
  const int columns = min(Memory::kColumns, a.per_key_head - chunk * Memory::kColumns);
  const int first_head = key_head * a.per_key_head + chunk * Memory::kColumns;
  if (!a.settled) {
    wait_for_upstream();
    let_downstream_start();
  }

  // Asked for together. Page numbers then come out of L1, into which their lines are brought meanwhile.
  bring_page_numbers(d, batch, memory + Memory::kReceived);
  const int stored_length = load_here(d.lengths + batch), position = load_here(a.positions + batch);
  const int rotary_position = load_here(a.rotary_positions + batch);
  const int length = d.within_table(stored_length), end = d.seen_of(length);
  const KeyRange range = share_of_split(d.prefix_of(batch), end, blockIdx.x, a.splits, Shape::kKeys);
  constexpr int kStride = Memory::kWarps * Shape::kKeys;
  int tile_start = range.first + warp * Shape::kKeys;
  const Ring ring = {d, memory + warp * Memory::kRingBytes, batch, key_head, d.head_size * Format::kBits / 8, length - end,
                     range.last};
  const Copies copies(d, batch, key_head);
  const NewToken token = find_new_token(d, position, length, end, range, blockIdx.x == 0, chunk == 0, Shape::kKeys,
                                        Memory::kWarps);
  const auto start_tile = [&](char* stage, const typename Copies::Pages& pages, int start) {
    if (a.neighbours && start + Shape::kKeys <= range.last) {
      if (a.packed) {
        copies.template fill<true>(stage, start, pages);
      } else {
        copies.template fill<false>(stage, start, pages);
      }
    } else {  // the end of the keys, or pages of another kind
      ring.fill(stage, ring.locate(start), range.last - start, token.seen - start);
    }
  };
  const auto pages_of = [&](int start) {
    return a.neighbours && start + Shape::kKeys <= range.last ? copies.locate(start) : typename Copies::Pages{};
  };
#pragma unroll 1
  for (int stage = 0; stage < Memory::kStages; ++stage) {
    const int start = tile_start + stage * kStride;
    if (start < range.last) start_tile(ring.stage(stage), pages_of(start), start);
    commit_copies();
  }
  // Tiles behind those that the rings hold: into L2, so that memory does not idle until the first stage is free again.
  const auto bring_later_tiles = [&] {
    const int later = threadIdx.x % 32 / 2 / Shape::kDepth, part = threadIdx.x % 32 / 2 % Shape::kDepth;
    const int start = tile_start + (Memory::kStages + later) * kStride + part * 16;
    if (!a.packed || later >= kLaterTiles<Format, kHead, kTiles> || start + 16 > range.last) return;
    const PageView& view = threadIdx.x % 2 == 0 ? d.keys : d.values;
    bring_to_l2(view.vector(max(0, copies.table[start >> d.page_shift]), start & (d.page_size - 1), key_head),
                16 * Shape::kRowBytes);
  };
  typename Copies::Pages next = pages_of(tile_start + Memory::kStages * kStride);
  if (a.rotary != Rotary::kNone) {
    if (d.q_type == DType::kF16) {
      lay_rotation<__half>(frequencies, rotary_position, Memory::kThreads, memory + Memory::kRotation);
    } else {
      lay_rotation<__nv_bfloat16>(frequencies, rotary_position, Memory::kThreads, memory + Memory::kRotation);
    }
  }
  wait_for_copies<Memory::kStages>();  // of page numbers
  if (a.cluster > 1) expect_parts<Memory>(a, kTiles == 1 ? columns : Memory::kColumns, memory);
  __syncthreads();  // every thread rotates with values that others computed
  if (a.cluster > 1) wait_for_cluster();  // all of its blocks run and expect their parts
  if (a.settled) {
    wait_for_upstream();
    let_downstream_start();
  }
  if (d.q_type == DType::kF16) {
    take_new_token<__half, Format, kHead, kTiles>(a, frequencies.pairs, token, batch, key_head, first_head, columns, memory,
                                                bring_later_tiles);
  } else {
    take_new_token<__nv_bfloat16, Format, kHead, kTiles>(a, frequencies.pairs, token, batch, key_head, first_head, columns,
                                                         memory, bring_later_tiles);
  }

  const SharedQueries<Format, kHead, kTiles> queries(memory);
  const auto held = kHead <= 128 ? queries.held() : QueryRegisters<Format, kHead, kTiles>{};
  const FragmentPlaces<Format, kHead> places;
  DecodeState<kTiles, kHead> state;
  state.clear();
  const float factor = d.scale * 1.4426950408889634f;  // powers of two instead of e

  const int first_stage = warp * Memory::kRingBytes, end_of_ring = first_stage + Memory::kRingBytes;
#pragma unroll 1
  for (int at = first_stage; tile_start < range.last; tile_start += kStride) {
    char* const stage = memory + at;
    wait_for_copies<Memory::kStages - 1>();
    __syncwarp();  // this stage is filled for all lanes
    const int row = token.seen - tile_start;
    if (row >= 0 && row < Shape::kKeys) place_new_token<Format, kHead, kTiles>(stage, row, ring.row_bytes, memory);
    if constexpr (kHead <= 128) {
      attend_tile<Format, kHead, kTiles>(stage, places, held, factor, tile_start, range.last, state);
    } else {
      attend_tile<Format, kHead, kTiles>(stage, places, queries, factor, tile_start, range.last, state);
    }
    __syncwarp();  // nobody reads the stage any more
    const int ahead = tile_start + Memory::kStages * kStride;
    if (ahead < range.last) {
      start_tile(stage, next, ahead);
      next = pages_of(ahead + kStride);
    }
    commit_copies();
    at = at + Shape::kStageBytes == end_of_ring ? first_stage : at + Shape::kStageBytes;
  }
  wait_for_copies<0>();
  if constexpr (kTiles == 1) {
    end_of_few<Memory>(a, state, batch, first_head, columns, memory);
  } else {
    end_of_many<Memory>(a, state, batch, first_head, columns, memory);
  }
}

}  // namespace limen
