// A decode step of one layer in one launch: the new token's key and value are stored, and its queries attend to all keys.
//
// Launch by launch the step is a chain: append, attend, merge, each of which waits for the one before, reads a length, then
// a page number, then keys. Here everything that does not depend on the launch before comes before the wait: lengths,
// page numbers, angles, and the first keys and values, as many as the rings hold (about 96 KiB a block). Two blocks
// fit a multiprocessor, so the next layer fills its rings while this one computes. After the wait come the queries, the
// new token, the arithmetic of attention_decode_step.cuh and one barrier of the cluster.
//
// Reading early is sound where the caller says that the cache is settled: the launch before may still run then, and launches
// before that one as far as it lets its successors start early; none of them may write what is read early.
// The new token itself is never read from its page: its row of a stage stays empty until the token is there.
//
// Geometry: block ↔ one split × one key head and up to 8 · kTiles of its queries × one sequence; cluster ↔ the splits of
// such a row, at most eight. The warps take tiles in turn, each with a softmax and a ring of its own.

#pragma once

#include "kernels/attention_append_end.cuh"
#include "kernels/attention_append_token.cuh"

namespace limen {

template <typename Format, int kHead, int kTiles>
__global__ void __launch_bounds__(AppendMemory<Format, kHead, kTiles>::kThreads, kHead > 128 ? 1 : 2)
    attention_append_kernel(const __grid_constant__ AppendAttentionArguments a,
                            const __grid_constant__ RotaryFrequencies frequencies) {
  using Memory = AppendMemory<Format, kHead, kTiles>;
  using Shape = DecodeShape<Format, kHead>;
  using Ring = TileRing<Format, kHead>;
  using Copies = NeighbourCopies<Format, kHead>;
  extern __shared__ __align__(128) char memory[];
  const DecodeArguments& d = a.decode;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int per_key_head = d.heads / d.key_heads;
  const int chunks = (per_key_head + Memory::kColumns - 1) / Memory::kColumns;
  const int key_head = blockIdx.y / chunks, chunk = blockIdx.y % chunks, batch = blockIdx.z;
  const int columns = min(Memory::kColumns, per_key_head - chunk * Memory::kColumns);
  const int first_head = key_head * per_key_head + chunk * Memory::kColumns;
  if (!a.settled) {
    wait_for_upstream();
    let_downstream_start();
  }

  const int rotary_position = a.rotary_positions[batch];
  const int length = d.length_of(batch), end = d.seen_of(length);
  const KeyRange range = share_of_split(d.prefix_of(batch), end, blockIdx.x, d.launch_splits, Shape::kKeys);
  constexpr int kStride = Memory::kWarps * Shape::kKeys;
  int tile_start = range.first + warp * Shape::kKeys;
  const Ring ring = {d, memory + warp * Memory::kRingBytes, batch, key_head, d.head_size * Format::kBits / 8, length - end,
                     range.last};
  const Copies copies(d, batch, key_head);
  const NewToken token = find_new_token(a, batch, length, end, range, blockIdx.x == 0, chunk == 0);
  const auto start_tile = [&](int stage, const typename Copies::Pages& pages, int start) {
    if (a.neighbours && start + Shape::kKeys <= range.last && (token.seen < start || token.seen >= start + Shape::kKeys)) {
      copies.fill(ring.stage(stage), start, pages);
    } else {  // the end of the keys, the tile of the new token, or pages of another kind
      ring.fill(stage, ring.locate(start), range.last - start, token.seen - start);
    }
  };
  const auto pages_of = [&](int start) {
    return a.neighbours && start + Shape::kKeys <= range.last ? copies.locate(start) : typename Copies::Pages{};
  };
  typename Copies::Pages first[Memory::kStages];
#pragma unroll
  for (int stage = 0; stage < Memory::kStages; ++stage) first[stage] = pages_of(tile_start + stage * kStride);
#pragma unroll
  for (int stage = 0; stage < Memory::kStages; ++stage) {
    const int start = tile_start + stage * kStride;
    if (start < range.last) start_tile(stage, first[stage], start);
    commit_copies();
  }
  typename Copies::Pages next = pages_of(tile_start + Memory::kStages * kStride);
  if (a.rotary != Rotary::kNone) {
    float* const cosines = reinterpret_cast<float*>(memory + Memory::kRotation);
    for (int pair = threadIdx.x; pair < frequencies.pairs; pair += Memory::kThreads) {
      float sine, cosine;
      sincosf(__fmul_rn(static_cast<float>(rotary_position), frequencies.value[pair]), &sine, &cosine);
      const bool half = d.q_type == DType::kF16;
      cosines[pair] = half ? round_to<__half>(cosine) : round_to<__nv_bfloat16>(cosine);
      cosines[kHead / 2 + pair] = half ? round_to<__half>(sine) : round_to<__nv_bfloat16>(sine);
    }
    __syncthreads();  // every thread rotates with values that others computed
  }
  if (a.settled) {
    wait_for_upstream();
    let_downstream_start();
  }
  if (d.q_type == DType::kF16) {
    take_new_token<__half, Format, kHead, kTiles>(a, frequencies.pairs, token, batch, key_head, first_head, columns, memory);
  } else {
    take_new_token<__nv_bfloat16, Format, kHead, kTiles>(a, frequencies.pairs, token, batch, key_head, first_head, columns,
                                                         memory);
  }
  __syncthreads();  // queries and the new token are in place
  if (a.cluster > 1) announce_to_cluster();

  // Columns without a query repeat the last one; nobody stores what they come to.
  SharedQueries<Format, kHead, kTiles> queries = {};
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
    queries.rows[tile] = memory + Memory::kQueries + min(tile * 8 + lane / 4, columns - 1) * Memory::kQueryPitch +
                         lane % 4 * (Shape::kKeyWords * kPerWord<Format> * 2);
    if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
      const auto* const sums = reinterpret_cast<const float*>(memory + Memory::kQuerySums);
#pragma unroll
      for (int c = 0; c < 2; ++c) queries.sum[tile][c] = sums[min(tile * 8 + lane % 4 * 2 + c, columns - 1)];
    }
  }
  const auto held = kTiles == 1 ? queries.held() : QueryRegisters<Format, kHead, kTiles>{};
  const FragmentPlaces<Format, kHead> places;
  DecodeState<kTiles, kHead> state;
  state.clear();
  int limit[kTiles][2];
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) limit[tile][0] = limit[tile][1] = range.last;
  const float factor = d.scale * 1.4426950408889634f;  // powers of two instead of e

#pragma unroll 1
  for (int used = 0; tile_start < range.last; tile_start += kStride, used = used + 1 == Memory::kStages ? 0 : used + 1) {
    wait_for_copies<Memory::kStages - 1>();
    __syncwarp();  // this stage is filled for all lanes
    const int row = token.seen - tile_start;
    if (row >= 0 && row < Shape::kKeys) place_new_token<Format, kHead, kTiles>(ring.stage(used), row, ring.row_bytes, memory);
    const bool ragged = tile_start + Shape::kKeys > range.last;
    if constexpr (kTiles == 1 && kHead <= 128) {
      attend_tile<Format, kHead, kTiles>(ring.stage(used), places, held, factor, tile_start, ragged, limit, state);
    } else {
      attend_tile<Format, kHead, kTiles>(ring.stage(used), places, queries, factor, tile_start, ragged, limit, state);
    }
    __syncwarp();  // nobody reads the stage any more
    const int ahead = tile_start + Memory::kStages * kStride;
    if (ahead < range.last) {
      start_tile(used, next, ahead);
      next = pages_of(ahead + kStride);
    }
    commit_copies();
  }
  wait_for_copies<0>();
  merge_and_store_step<Format, kHead, kTiles>(a, state, batch, first_head, columns, memory);
}

}  // namespace limen
