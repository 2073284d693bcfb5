// How the one-launch decode step ends with more than eight queries on a key head: the softmaxes of a block's warps become
// one, and those of the blocks of a cluster.
//
// Sums stay as fragments hold them. A warp lays its own down, four at a time, and takes those of all warps for the fragments
// that fall to it: lane for lane the same places, so nothing has to be worked out, no bank is met twice, and a lane's columns
// are the same in all that it adds up. Blocks send each other fragments in the same way.

#pragma once

#include "kernels/attention_append_end.cuh"

namespace limen {

// Which fragments fall to which warp and, of these, to which block of a cluster of kParts.
template <typename Memory, int kParts>
struct ManyShares {
  static constexpr int kFragments = Memory::kTiles * Memory::kHead / 16, kOwn = kFragments / Memory::kWarps;
  static constexpr int kLanes = kParts > kOwn ? 32 * kOwn / kParts : 32;  // a fragment may fall to several blocks
  static constexpr int kTogether = kParts > kOwn ? 1 : kOwn / kParts;     // or several to one block
  static constexpr int kItems = Memory::kWarps * kTogether * kLanes;      // fours of a block
  static_assert(kFragments % Memory::kWarps == 0 && Memory::kTiles == 2 && Memory::kWarps == 4, "half of the warps a tile");

  static __device__ __forceinline__ int owner(int own, int lane) { return own / kTogether * (32 / kLanes) + lane / kLanes; }
  static __device__ __forceinline__ int item(int warp, int own, int lane) {
    return (warp * kTogether + own % kTogether) * kLanes + lane % kLanes;
  }
};

// Maxima and totals of two neighbouring columns.
struct TwoColumns {
  float highest[2], total[2];

  // Joins as many softmaxes: `factors` bring each to the common maximum.
  template <int kParts, typename Facts>
  static __device__ __forceinline__ TwoColumns join(const Facts& fact_of, float (&factors)[kParts][2]) {
    float4 facts[kParts];
    TwoColumns joined = {{-INFINITY, -INFINITY}, {}};
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      facts[part] = fact_of(part);
      joined.highest[0] = fmaxf(joined.highest[0], facts[part].x);
      joined.highest[1] = fmaxf(joined.highest[1], facts[part].z);
    }
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      factors[part][0] = power_of_two(facts[part].x - fmaxf(joined.highest[0], kNothingSeen));
      factors[part][1] = power_of_two(facts[part].z - fmaxf(joined.highest[1], kNothingSeen));
      joined.total[0] = fmaf(facts[part].y, factors[part][0], joined.total[0]);
      joined.total[1] = fmaf(facts[part].w, factors[part][1], joined.total[1]);
    }
    return joined;
  }
};

// Four sums as a fragment holds them: columns 2t and 2t + 1 of rows g and g + 8.
__device__ __forceinline__ void add_fragment(float4& sum, const float4& part, const float (&factor)[2]) {
  sum.x = fmaf(part.x, factor[0], sum.x), sum.y = fmaf(part.y, factor[1], sum.y);
  sum.z = fmaf(part.z, factor[0], sum.z), sum.w = fmaf(part.w, factor[1], sum.w);
}

// Fragment `fragment` of lane 4·g + t: to y, or as a share of a row with several clusters.
template <typename Memory>
__device__ __forceinline__ void store_fragment(const AppendAttentionArguments& a, int batch, int first_head, int columns,
                                               int fragment, int lane, const float4& sum, const TwoColumns& joined) {
  using Format = typename Memory::Format;
  constexpr int kPerTile = Memory::kHead / 16;
  const DecodeArguments& d = a.decode;
  const int g = lane / 4, t = lane % 4, m = fragment % kPerTile;
  const int low = channel_of<Format, Memory::kHead>(m, g, 0), high = channel_of<Format, Memory::kHead>(m, g, 1);
  const float values[2][2] = {{sum.x, sum.z}, {sum.y, sum.w}};
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    const int column = fragment / kPerTile * 8 + 2 * t + c;
    if (column >= columns) continue;
    if (d.partial == nullptr) {
      const float factor = joined.total[c] > 0.0f ? __fdividef(1.0f, joined.total[c]) : 0.0f;
      d.store_pair(batch, first_head + column, low, high, values[c][0] * factor, values[c][1] * factor);
      continue;
    }
    const int split = static_cast<int>(blockIdx.x) / a.cluster;
    float* const sums = d.sums(batch, first_head + column, split);
    if (low == 0) {
      *reinterpret_cast<float2*>(d.weights(batch, first_head + column, split)) =
          make_float2(joined.highest[c], joined.total[c]);
    }
    if (low < d.head_size) sums[low] = values[c][0];
    if (high < d.head_size) sums[high] = values[c][1];
  }
}

// Joins what the blocks of a cluster have sent to this one.
template <typename Memory, int kParts>
__device__ __forceinline__ void join_fragments(const AppendAttentionArguments& a, int batch, int first_head, int columns,
                                               int rank, const char* shared) {
  using Shares = ManyShares<Memory, kParts>;
  const auto* const facts = reinterpret_cast<const float4*>(shared + Memory::kFacts);
  const auto* const received = reinterpret_cast<const float4*>(shared + Memory::kReceived);
  for (int index = threadIdx.x; index < Shares::kItems; index += Memory::kThreads) {
    constexpr int kSplit = 32 / Shares::kLanes;  // blocks that share a fragment
    const int lane = index % Shares::kLanes + rank % kSplit * Shares::kLanes;
    const int own = rank / kSplit * Shares::kTogether + index / Shares::kLanes % Shares::kTogether;
    const int warp = index / (Shares::kLanes * Shares::kTogether);
    float factors[kParts][2];
    const TwoColumns joined =
        TwoColumns::join<kParts>([&](int part) { return facts[part * 8 + warp / 2 * 4 + lane % 4]; }, factors);
    float4 sum = {};
#pragma unroll
    for (int part = 0; part < kParts; ++part) add_fragment(sum, received[part * Shares::kItems + index], factors[part]);
    store_fragment<Memory>(a, batch, first_head, columns, warp * Shares::kOwn + own, lane, sum, joined);
  }
}

// Sends this warp's fragments to the blocks that they fall to, joins those that fall to this block, and stores them.
template <typename Memory, int kParts, int kOwn>
__device__ __forceinline__ void exchange_fragments(const AppendAttentionArguments& a, const float4 (&sum)[kOwn],
                                                   const TwoColumns& joined, int batch, int first_head, int columns,
                                                   char* shared) {
  using Shares = ManyShares<Memory, kParts>;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  const int rank = static_cast<int>(blockIdx.x) % kParts;
#pragma unroll
  for (int own = 0; own < kOwn; ++own) {
    const uint32_t there = address_in_cluster(shared, Shares::owner(own, lane));
    const int place = Memory::kReceived + (rank * Shares::kItems + Shares::item(warp, own, lane)) * 16;
    send_in_cluster(there + place, sum[own], there + Memory::kArrivals);
  }
  if (warp % 2 == 0 && g < kParts) {  // one warp of each tile tells every block
    const uint32_t there = address_in_cluster(shared, g);
    send_in_cluster(there + Memory::kFacts + (rank * 8 + warp / 2 * 4 + t) * 16,
                    make_float4(joined.highest[0], joined.total[0], joined.highest[1], joined.total[1]),
                    there + Memory::kArrivals);
  }
  wait_for_phase(reinterpret_cast<uint64_t*>(shared + Memory::kArrivals), 0);  // every block's part has come
  join_fragments<Memory, kParts>(a, batch, first_head, columns, rank, shared);
}

template <typename Memory>
__device__ __forceinline__ void end_of_many(const AppendAttentionArguments& a,
                                            DecodeState<Memory::kTiles, Memory::kHead>& state, int batch, int first_head,
                                            int columns, char* shared) {
  using Format = typename Memory::Format;
  constexpr int kFacts = 8;  // fours
  constexpr int kWarps = Memory::kWarps, kPerTile = Memory::kHead / 16, kOwn = ManyShares<Memory, 1>::kOwn;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  // In the ring of each warp: facts of eight pairs of columns, then its fragments.
  const auto fours_of = [&](int w) { return reinterpret_cast<float4*>(shared + w * Memory::kRingBytes); };
  static_assert((kFacts + 32 * kOwn * kWarps) * 16 <= Memory::kRingBytes, "they take the place of the ring");
  __syncwarp();  // the ring of this warp has served
  state.template join_lanes<Format>();
#pragma unroll
  for (int tile = 0; tile < Memory::kTiles; ++tile) {
#pragma unroll
    for (int m = 0; m < kPerTile; ++m) {
      float(&sum)[4] = state.sum[tile][m];
      if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
#pragma unroll
        for (int i = 0; i < 4; ++i) sum[i] += state.lowest[tile][i % 2];
      }
      fours_of(warp)[kFacts + (tile * kPerTile + m) * 32 + lane] = make_float4(sum[0], sum[1], sum[2], sum[3]);
    }
    if (g == 0) {
      fours_of(warp)[tile * 4 + t] =
          make_float4(state.maximum(tile, 0), state.total[tile][0], state.maximum(tile, 1), state.total[tile][1]);
    }
  }
  __syncthreads();  // every warp's fragments are in place
  float factors[kWarps][2];
  const TwoColumns joined = TwoColumns::join<kWarps>([&](int w) { return fours_of(w)[warp / 2 * 4 + t]; }, factors);
  float4 sum[kOwn] = {};
#pragma unroll
  for (int w = 0; w < kWarps; ++w) {
#pragma unroll
    for (int own = 0; own < kOwn; ++own) {
      add_fragment(sum[own], fours_of(w)[kFacts + (warp * kOwn + own) * 32 + lane], factors[w]);
    }
  }
  switch (a.cluster) {
    case 1:
#pragma unroll
      for (int own = 0; own < kOwn; ++own) {
        store_fragment<Memory>(a, batch, first_head, columns, warp * kOwn + own, lane, sum[own], joined);
      }
      return;
    case 2: return exchange_fragments<Memory, 2>(a, sum, joined, batch, first_head, columns, shared);
    case 4: return exchange_fragments<Memory, 4>(a, sum, joined, batch, first_head, columns, shared);
    default: return exchange_fragments<Memory, 8>(a, sum, joined, batch, first_head, columns, shared);
  }
}

}  // namespace limen
