// How the one-launch decode step ends: the softmaxes of a block's warps become one, and each block of a cluster sends every
// other its part of the sums, so that a single barrier lies between the last key and the result.

#pragma once

#include <cooperative_groups.h>

#include "kernels/attention_append_memory.cuh"

namespace limen {

// The blocks of a cluster tell each other that they run; waited for before anyone writes into another's shared memory.
__device__ __forceinline__ void announce_to_cluster() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.arrive.relaxed;" ::: "memory");
#endif
}
__device__ __forceinline__ void wait_for_cluster() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
#endif
}
__device__ __forceinline__ void arrive_at_cluster() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.arrive.release;" ::: "memory");
#endif
}
template <typename T>
__device__ __forceinline__ T* in_block_of_cluster(T* pointer, int rank) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  return cooperative_groups::this_cluster().map_shared_rank(pointer, rank);
#else
  return pointer;
#endif
}

__device__ __forceinline__ void add_scaled(float4& sum, const float4& part, float factor) {
  sum.x = fmaf(part.x, factor, sum.x), sum.y = fmaf(part.y, factor, sum.y);
  sum.z = fmaf(part.z, factor, sum.z), sum.w = fmaf(part.w, factor, sum.w);
}

// Maximum and total of a softmax over all keys so far.
struct Joined {
  float highest, total;
};

// Four sums of one column at places `at` … `at` + 3 of a row of sums: to y, or as a share of a row with several clusters.
template <typename Format, int kHead>
__device__ __forceinline__ void store_sums(const AppendAttentionArguments& a, int batch, int head, int at, const float4& sum,
                                           const Joined& joined) {
  const DecodeArguments& d = a.decode;
  const float factor = d.partial != nullptr ? 1.0f : joined.total > 0.0f ? __fdividef(1.0f, joined.total) : 0.0f;
  const int split = static_cast<int>(blockIdx.x) / a.cluster;
  if (d.partial != nullptr && at == 0) {
    *reinterpret_cast<float2*>(d.weights(batch, head, split)) = make_float2(joined.highest, joined.total);
  }
  if constexpr (Format::kBits == 16) {  // places are channels
    if (at >= d.head_size) return;
    if (d.partial == nullptr) {
      d.store4(batch, head, at, sum, factor);
    } else {
      *reinterpret_cast<float4*>(d.sums(batch, head, split) + at) = sum;
    }
  } else {
    const float values[4] = {sum.x, sum.y, sum.z, sum.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int channel = channel_of<Format, kHead>(at / 16, at % 8 + i, at / 8 % 2);
      if (channel >= d.head_size) continue;
      if (d.partial == nullptr) {
        d.store(batch, head, channel, values[i] * factor);
      } else {
        d.sums(batch, head, split)[channel] = values[i];
      }
    }
  }
}

// Joins what the kParts blocks of a cluster have sent to this one.
template <typename Format, int kHead, int kTiles, int kParts>
__device__ __forceinline__ void join_cluster(const AppendAttentionArguments& a, int batch, int first_head, int columns,
                                             int rank, const char* shared) {
  using Memory = AppendMemory<Format, kHead, kTiles>;
  constexpr int kSlice = kHead / 4 / kParts;  // of a row of sums, in fours
  const auto* const facts = reinterpret_cast<const float2*>(shared + Memory::kFacts);
  const auto* const received = reinterpret_cast<const float4*>(shared + Memory::kReceived);
  for (int index = threadIdx.x; index < columns * kSlice; index += Memory::kThreads) {
    const int column = index / kSlice, at = (rank * kSlice + index % kSlice) * 4;
    float2 fact[kParts];
    Joined joined = {-INFINITY, 0.0f};
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      fact[part] = facts[part * columns + column];
      joined.highest = fmaxf(joined.highest, fact[part].x);
    }
    const float base = joined.highest == -INFINITY ? 0.0f : joined.highest;
    float4 sum = {};
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      const float keep = power_of_two(fact[part].x - base);
      joined.total = fmaf(fact[part].y, keep, joined.total);
      add_scaled(sum, received[part * columns * kSlice + index], keep);
    }
    store_sums<Format, kHead>(a, batch, first_head + column, at, sum, joined);
  }
}

template <typename Format, int kHead, int kTiles>
__device__ __forceinline__ void merge_and_store_step(const AppendAttentionArguments& a, DecodeState<kTiles, kHead>& state,
                                                     int batch, int first_head, int columns, char* shared) {
  using Memory = AppendMemory<Format, kHead, kTiles>;
  constexpr int kWarps = Memory::kWarps, kThreads = Memory::kThreads, kPitch = Memory::kSumPitch;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  const auto row_of = [&](int w, int column) {
    return reinterpret_cast<float*>(shared + w * Memory::kRingBytes) + column * kPitch;
  };
  float* const factors = reinterpret_cast<float*>(shared + Memory::kWarpFactors);  // [columns][warps], then Joined
  __syncwarp();  // the ring of this warp has served: its memory takes the sums
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      float total = state.total[tile][c], lowest = state.lowest[tile][c];
#pragma unroll
      for (int offset = 4; offset < 32; offset *= 2) {
        total += __shfl_xor_sync(kFullWarp, total, offset);
        if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) lowest += __shfl_xor_sync(kFullWarp, lowest, offset);
      }
      const int column = tile * 8 + 2 * t + c;
      if (column >= columns) continue;
      if (g == 0) *reinterpret_cast<float2*>(row_of(warp, column) + kHead) = make_float2(state.highest[tile][c], total);
      // In the order of the accumulators, whatever channels they hold: so no bank is met twice.
      float* const row = row_of(warp, column) + g;
#pragma unroll
      for (int m = 0; m < kHead / 16; ++m) {
        row[m * 16] = state.sum[tile][m][c] + lowest;
        row[m * 16 + 8] = state.sum[tile][m][2 + c] + lowest;
      }
    }
  }
  __syncthreads();  // every warp's sums are in place
  const int rank = static_cast<int>(blockIdx.x) % a.cluster;
  if (a.cluster > 1) wait_for_cluster();  // all of its blocks run
  Joined* const joined_of = reinterpret_cast<Joined*>(factors + Memory::kColumns * kWarps);
  for (int column = threadIdx.x; column < columns; column += kThreads) {
    Joined joined = {-INFINITY, 0.0f};
#pragma unroll
    for (int w = 0; w < kWarps; ++w) joined.highest = fmaxf(joined.highest, row_of(w, column)[kHead]);
    const float base = joined.highest == -INFINITY ? 0.0f : joined.highest;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      const float2 fact = *reinterpret_cast<const float2*>(row_of(w, column) + kHead);
      const float keep = power_of_two(fact.x - base);
      factors[column * kWarps + w] = keep;
      joined.total = fmaf(fact.y, keep, joined.total);
    }
    joined_of[column] = joined;
    for (int owner = 0; owner < a.cluster && a.cluster > 1; ++owner) {
      *in_block_of_cluster(reinterpret_cast<float2*>(shared + Memory::kFacts) + rank * columns + column, owner) =
          make_float2(joined.highest, joined.total);
    }
  }
  __syncthreads();  // and the factors that make them comparable
  const int slice = 1 << a.slice_shift;  // of a row, in fours
  for (int index = threadIdx.x; index < columns * (kHead / 4); index += kThreads) {
    const int column = index / (kHead / 4), four = index % (kHead / 4);
    float4 sum = {};
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      add_scaled(sum, *reinterpret_cast<const float4*>(row_of(w, column) + four * 4), factors[column * kWarps + w]);
    }
    if (a.cluster == 1) {
      store_sums<Format, kHead>(a, batch, first_head + column, four * 4, sum, joined_of[column]);
      continue;
    }
    const int owner = four >> a.slice_shift, place = column * slice + (four & (slice - 1));
    *in_block_of_cluster(reinterpret_cast<float4*>(shared + Memory::kReceived) + rank * columns * slice + place, owner) = sum;
  }
  if (a.cluster == 1) return;
  arrive_at_cluster();
  wait_for_cluster();  // every block's part has come
  switch (a.cluster) {
    case 2: return join_cluster<Format, kHead, kTiles, 2>(a, batch, first_head, columns, rank, shared);
    case 4: return join_cluster<Format, kHead, kTiles, 4>(a, batch, first_head, columns, rank, shared);
    default: return join_cluster<Format, kHead, kTiles, 8>(a, batch, first_head, columns, rank, shared);
  }
}

}  // namespace limen
