// A prefix that rows of a group share, attended to by the queries of all of them at once: a matrix product.
//
// Each row has attended to its own keys before and left maximum, total and sums in the workspace. Here 64 queries of one
// key head, of whatever rows, meet tiles of 64 shared keys on warpgroup products; the splits of the prefix merge through
// the shared memory of a cluster, and the block that stores a query merges it with what its row has left.
//
// Geometry: block of one warpgroup ↔ one split × 64 queries of one key head × one group; cluster ↔ the splits, at most
// eight. Queries lie in the order of rows, then heads. 16-bit keys and values are copied into place by cp.async, a tile
// ahead; others pass through registers, two tiles ahead, where they are widened. As in attention_decode_step.cuh a key's
// scale multiplies its score and a value's scale its weight, through the exponent.
//
// The launch before is that of the rows' own keys. Its blocks let this kernel start after they have waited for what they
// read themselves, so queries, tables and shared keys are complete here from the start, and only the merge waits. They
// are read past L1, which may hold what was there before. New tokens never belong to a shared prefix.

#pragma once

#include "kernels/attention_append_end.cuh"
#include "kernels/attention_decode_prefix_tiles.cuh"

namespace limen {

// The splits of a query become one, then the query's own keys are added, and the result is stored. Each block of the
// cluster does so for its share of the queries.
template <typename Format, int kHead>
__device__ __forceinline__ void merge_prefix(const PrefixArguments& a, const float (&highest)[2], float (&total)[2],
                                             float (&lowest)[2], const float (&out)[kHead / 2], int first_batch,
                                             int key_head, int first_column, int columns, char* memory) {
  using Memory = PrefixMemory<Format, kHead>;
  const DecodeArguments& d = a.decode;
  const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4, own_row = threadIdx.x / 32 * 16 + g;
  const int rank = blockIdx.x, share = kPrefixQueries / a.cluster;
  wait_for_copies<0>();
  if (a.cluster > 1) {
    wait_for_cluster();  // all of its blocks run …
    arrive_at_cluster();
    wait_for_cluster();  // … and none of them needs its stages any more
  } else {
    __syncthreads();
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
#pragma unroll
    for (int offset = 1; offset < 4; offset *= 2) {
      total[half] += __shfl_xor_sync(kFullWarp, total[half], offset);
      if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
        lowest[half] += __shfl_xor_sync(kFullWarp, lowest[half], offset);
      }
    }
    const int row = own_row + half * 8, owner = row / share, place = rank * share + row % share;
    auto* facts = reinterpret_cast<float2*>(memory + Memory::kFactsAt) + place;
    auto* sums = reinterpret_cast<float*>(memory + Memory::kReceivedAt) + place * Memory::kPitch;
    if (a.cluster > 1) facts = in_block_of_cluster(facts, owner), sums = in_block_of_cluster(sums, owner);
    if (t == 0) *facts = make_float2(highest[half], total[half]);
#pragma unroll
    for (int n = 0; n < kHead / 8; ++n) {
      *reinterpret_cast<float2*>(sums + n * 8 + t * 2) =
          make_float2(out[n * 4 + half * 2] + lowest[half], out[n * 4 + half * 2 + 1] + lowest[half]);
    }
  }
  if (a.cluster > 1) {
    arrive_at_cluster();
    wait_for_cluster();  // every split's part has come
  } else {
    __syncthreads();
  }
  wait_for_upstream();  // the rows' own keys have been attended to
  constexpr int kFours = kHead / 4, kStep = kPrefixThreads / kFours;
  const int at = static_cast<int>(threadIdx.x) % kFours * 4, first_head = key_head * (d.heads / d.key_heads);
  const auto* const facts = reinterpret_cast<const float2*>(memory + Memory::kFactsAt);
  const auto* const received = reinterpret_cast<const float*>(memory + Memory::kReceivedAt);
  struct Own {
    float2 fact;
    float4 sums;
  };
  const auto own_of = [&](const QueryWalk& query, int split) {
    const int batch = first_batch + query.row, head = first_head + query.head;
    return Own{__ldcg(reinterpret_cast<const float2*>(d.weights(batch, head, split))),
               __ldcg(reinterpret_cast<const float4*>(d.sums(batch, head, split) + at))};
  };
  const int rows = at < d.head_size ? min(share, columns - rank * share) : 0;
  int row = static_cast<int>(threadIdx.x) / kFours;
  QueryWalk query(first_column + rank * share + row, kStep, d.heads / d.key_heads);
  Own own = {};
  if (row < rows) own = own_of(query, 0);
#pragma unroll 1
  while (row < rows) {
    QueryWalk next_query = query;
    next_query.advance();
    Own next = {};
    if (row + kStep < rows) next = own_of(next_query, 0);
    float best = own.fact.x;
#pragma unroll 1
    for (int part = 0; part < a.cluster; ++part) best = fmaxf(best, facts[part * share + row].x);
#pragma unroll 1
    for (int split = 1; split < d.splits; ++split) best = fmaxf(best, own_of(query, split).fact.x);
    const float base = best == -INFINITY ? 0.0f : best;
    float sum_total = 0.0f;
    float4 sum = {};
#pragma unroll 1
    for (int part = 0; part < a.cluster; ++part) {
      const float2 fact = facts[part * share + row];
      const float keep = power_of_two(fact.x - base);
      sum_total = fmaf(fact.y, keep, sum_total);
      add_scaled(sum, *reinterpret_cast<const float4*>(received + (part * share + row) * Memory::kPitch + at), keep);
    }
#pragma unroll 1
    for (int split = 0; split < d.splits; ++split) {
      if (split > 0) own = own_of(query, split);
      if (own.fact.x == -INFINITY) continue;  // a split without keys has stored no sums
      const float keep = power_of_two(own.fact.x - base);
      sum_total = fmaf(own.fact.y, keep, sum_total);
      add_scaled(sum, own.sums, keep);
    }
    d.store4(first_batch + query.row, first_head + query.head, at, sum,
             sum_total > 0.0f ? __fdividef(1.0f, sum_total) : 0.0f);
    query = next_query, own = next, row += kStep;
  }
}

template <typename Format, int kHead>
__global__ void __launch_bounds__(kPrefixThreads, 2)
    attention_prefix_kernel(const __grid_constant__ PrefixArguments a,
                            const __grid_constant__ RotaryFrequencies frequencies) {
#if LIMEN_WARPGROUPS
  using Memory = PrefixMemory<Format, kHead>;
  using Compute = typename Format::Compute;
  extern __shared__ unsigned char unaligned[];
  __shared__ int2 reaches[4];
  __shared__ int positions[kPrefixQueries];
  __shared__ float query_sums[kPrefixQueries];
  char* const memory = reinterpret_cast<char*>(unaligned) + (1024 - shared_address(unaligned) % 1024) % 1024;
  let_downstream_start();
  const DecodeArguments& d = a.decode;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  const int per_key_head = d.heads / d.key_heads, all_columns = per_key_head * d.rows;
  const int chunks = (all_columns + kPrefixQueries - 1) / kPrefixQueries;
  const int key_head = blockIdx.y / chunks, first_column = blockIdx.y % chunks * kPrefixQueries;
  const int columns = min(kPrefixQueries, all_columns - first_column);
  const int first_batch = blockIdx.z * d.rows;
  if (a.cluster > 1) announce_to_cluster();

  copy_prefix_queries<kHead>(d, first_batch, key_head, first_column, columns, memory);
  commit_copies();
  const int first_row = first_column / per_key_head, rows = (first_column + columns - 1) / per_key_head - first_row + 1;
  if (a.rotary != Rotary::kNone && threadIdx.x < rows) {
    positions[threadIdx.x] = __ldcg(a.rotary_positions + first_batch + first_row + threadIdx.x);
  }
  // The prefix is read through the row that sees most of it; the keys that others do not see are masked below.
  int end = 0, batch = first_batch;
#pragma unroll 1
  for (int row = threadIdx.x; row < d.rows; row += kPrefixThreads) {
    const int reach = shared_keys_of(d, first_batch + row);
    if (reach > end) end = reach, batch = first_batch + row;
  }
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    const int other = __shfl_xor_sync(kFullWarp, end, offset), other_batch = __shfl_xor_sync(kFullWarp, batch, offset);
    if (other > end || (other == end && other_batch < batch)) end = other, batch = other_batch;
  }
  if (lane == 0) reaches[warp] = make_int2(end, batch);
  __syncthreads();  // every warp's candidate is there, and so are positions
#pragma unroll
  for (int w = 0; w < 4; ++w) {
    const int2 other = reaches[w];
    if (other.x > end || (other.x == end && other.y < batch)) end = other.x, batch = other.y;
  }
  const KeyRange range = share_of_split(0, end, blockIdx.x, a.cluster, kPrefixKeys);
  const float factor = d.scale * 1.4426950408889634f;  // powers of two instead of e
  PrefixLoader<Format, kHead> loader = {d, batch, key_head, range.last, factor};
  const auto stage_at = [&](int stage) { return memory + Memory::kStagesAt + stage * Memory::kStageBytes; };
  const auto scales_at = [&](int stage) { return memory + Memory::kScalesAt + stage * Memory::kScaleBytes; };
  const auto find = [&](int tile) {
    if (tile < range.last) loader.find(tile);
  };
  find(range.first);
  if constexpr (Format::kBits == 16) {
#pragma unroll 1
    for (int stage = 0; stage < Memory::kStages - 1; ++stage) {
      const int tile = range.first + stage * kPrefixKeys;
      if (tile < range.last) loader.copy(stage_at(stage), tile);
      commit_copies();
      find(tile + kPrefixKeys);
    }
  } else if (range.first < range.last) {
    loader.ask(range.first);
    find(range.first + kPrefixKeys);
  }
  auto* const angles = reinterpret_cast<float2*>(stage_at(Memory::kStages - 1));  // not filled yet
  static_assert(kPrefixQueries * kHead / 2 * 8 <= Memory::kStageBytes, "they fit a stage");
  const bool halves = Format::kBits == 16 ? std::is_same_v<Compute, __half> : d.q_type == DType::kF16;
  if (a.rotary != Rotary::kNone) {
    if (halves) {
      fill_prefix_angles<__half>(frequencies, positions, rows, angles);
    } else {
      fill_prefix_angles<__nv_bfloat16>(frequencies, positions, rows, angles);
    }
  }
  wait_for_copies<Format::kBits == 16 ? Memory::kStages - 1 : 0>();
  __syncthreads();  // queries and angles are there
  if (halves) {
    turn_prefix_queries<__half, Format, kHead>(a.rotary, frequencies.pairs, per_key_head, first_column, columns, angles,
                                               memory, query_sums);
  } else {
    turn_prefix_queries<__nv_bfloat16, Format, kHead>(a.rotary, frequencies.pairs, per_key_head, first_column, columns,
                                                      angles, memory, query_sums);
  }
  if constexpr (Format::kBits != 16) {
    if (range.first < range.last) loader.lay(stage_at(0), scales_at(0));
    publish_stores();
    if (range.first + kPrefixKeys < range.last) loader.ask(range.first + kPrefixKeys);
    find(range.first + 2 * kPrefixKeys);
  }

  const int own_row = warp * 16 + g;  // this lane's queries: own_row and own_row + 8
  int limit[2];                       // first key that a query does not see
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int column = min(own_row + half * 8, columns - 1);
    limit[half] = min(range.last, shared_keys_of(d, first_batch + (first_column + column) / per_key_head));
  }
  float score[kPrefixKeys / 2], out[kHead / 2];
  uint32_t weight[kPrefixKeys / 16][4];
  float highest[2] = {-INFINITY, -INFINITY}, total[2] = {}, lowest[2] = {};
#pragma unroll
  for (int i = 0; i < kHead / 2; ++i) out[i] = 0.0f;

#pragma unroll 1
  for (int tile = range.first, stage = 0; tile < range.last; tile += kPrefixKeys) {
    if constexpr (Format::kBits == 16) {
      wait_for_copies<Memory::kStages - 2>();
      publish_stores();
    }
    __syncthreads();  // the stage is filled by all threads, and nobody uses the next one to be filled any more
    const char* const keys = stage_at(stage);
    begin_products();
#pragma unroll
    for (int step = 0; step < kHead / 16; ++step) {
      multiply_group<Compute>(score, operand_at(swizzled_operand(shared_address(memory)), step / 4 * 8192 + step % 4 * 32),
                              operand_at(swizzled_operand(shared_address(keys)), step / 4 * 8192 + step % 4 * 32), step > 0);
    }
    commit_products();
    if constexpr (Format::kBits == 16) {
      const int ahead = tile + (Memory::kStages - 1) * kPrefixKeys;
      const int free = stage == 0 ? Memory::kStages - 1 : stage - 1;
      if (ahead < range.last) loader.copy(stage_at(free), ahead);
      commit_copies();
      find(ahead + kPrefixKeys);
    } else {
      if (tile + kPrefixKeys < range.last) loader.lay(stage_at(stage ^ 1), scales_at(stage ^ 1));
      publish_stores();  // before anything else is asked for, since this waits for loads, too
      if (tile + 2 * kPrefixKeys < range.last) loader.ask(tile + 2 * kPrefixKeys);
      find(tile + 3 * kPrefixKeys);
    }
    wait_for_products<0>();
    hold(score);

    // Accumulator i: query own_row + 8 · (i / 2 % 2), key i / 4 · 8 + 2t + i % 2.
    const auto* const scales = reinterpret_cast<const float*>(scales_at(stage));
    const bool ragged = tile + kPrefixKeys > min(limit[0], limit[1]);
    bool exceeds = false;
#pragma unroll
    for (int j = 0; j < kPrefixKeys / 8; ++j) {
      const int key = j * 8 + t * 2;
      float key_factor[2] = {factor, factor}, logarithm[2] = {}, key_lowest[2] = {};
      if constexpr (Format::kScale != ScaleKind::kNone) {
        const float2 factors = *reinterpret_cast<const float2*>(scales + key);
        const float2 logarithms = *reinterpret_cast<const float2*>(scales + kPrefixKeys + key);
        key_factor[0] = factors.x, key_factor[1] = factors.y, logarithm[0] = logarithms.x, logarithm[1] = logarithms.y;
      }
      if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
        const float2 least = *reinterpret_cast<const float2*>(scales + 3 * kPrefixKeys + key);
        key_lowest[0] = least.x, key_lowest[1] = least.y;
      }
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float& value = score[j * 4 + i];
        value = fmaf(value, key_factor[i % 2], logarithm[i % 2]);
        if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
          value = fmaf(query_sums[own_row + i / 2 * 8], key_lowest[i % 2], value);
        }
        if (ragged && tile + key + i % 2 >= limit[i / 2]) value = -INFINITY;
        exceeds |= value > highest[i / 2] + kMaximumSlack;
      }
    }
    if (__any_sync(kFullWarp, exceeds)) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float best = highest[half];
#pragma unroll
        for (int i = half * 2; i < kPrefixKeys / 2; i += 4) best = fmaxf(best, fmaxf(score[i], score[i + 1]));
        best = fmaxf(best, __shfl_xor_sync(kFullWarp, best, 1));
        best = fmaxf(best, __shfl_xor_sync(kFullWarp, best, 2));
        // Nothing seen yet: −∞ − −∞ would be NaN.
        const float keep = best == -INFINITY ? 1.0f : power_of_two(highest[half] - best);
        highest[half] = best;
        total[half] *= keep, lowest[half] *= keep;
#pragma unroll
        for (int i = half * 2; i < kHead / 2; i += 4) out[i] *= keep, out[i + 1] *= keep;
      }
    }
    const float base[2] = {highest[0] == -INFINITY ? 0.0f : highest[0], highest[1] == -INFINITY ? 0.0f : highest[1]};
#pragma unroll
    for (int j = 0; j < kPrefixKeys / 8; ++j) {
      const int key = j * 8 + t * 2;
      float inverse[2] = {1.0f, 1.0f}, value_lowest[2] = {};
      if constexpr (Format::kScale != ScaleKind::kNone) {
        const float2 inverses = *reinterpret_cast<const float2*>(scales + 2 * kPrefixKeys + key);
        inverse[0] = inverses.x, inverse[1] = inverses.y;
      }
      if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
        const float2 least = *reinterpret_cast<const float2*>(scales + 4 * kPrefixKeys + key);
        value_lowest[0] = least.x, value_lowest[1] = least.y;
      }
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float& value = score[j * 4 + i];
        value = power_of_two(value - base[i / 2]);
        const float plain = Format::kScale == ScaleKind::kNone ? value : value * inverse[i % 2];
        total[i / 2] += plain;
        if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
          lowest[i / 2] = fmaf(plain, value_lowest[i % 2], lowest[i / 2]);
        }
      }
    }
    // The scores' registers are already laid out as a left operand.
#pragma unroll
    for (int step = 0; step < kPrefixKeys / 16; ++step) {
#pragma unroll
      for (int i = 0; i < 4; ++i) weight[step][i] = pack2<Compute>(score[step * 8 + i * 2], score[step * 8 + i * 2 + 1]);
    }
    const uint64_t right = swizzled_columns(shared_address(keys + Memory::kTileBytes), kPrefixKeys * 128);
    hold(out);
    begin_products();
#pragma unroll
    for (int step = 0; step < kPrefixKeys / 16; ++step) {
      multiply_group<Compute>(out, weight[step], operand_at(right, step * 16 * 128), 1);
    }
    commit_products();
    wait_for_products<0>();
    hold(out);
    hold(weight);
    stage = stage + 1 == Memory::kStages ? 0 : stage + 1;
  }
  merge_prefix<Format, kHead>(a, highest, total, lowest, out, first_batch, key_head, first_column, columns, memory);
#endif
}

}  // namespace limen
