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

// Maximum and total of `parts` softmaxes of one column; `visit` receives the factor of each.
struct Joined {
  float highest, total;
};
template <int kParts, typename Facts, typename Visit>
__device__ __forceinline__ Joined join_softmaxes(int parts, Facts&& facts, Visit&& visit) {
  Joined joined = {-INFINITY, 0.0f};
  float2 fact[kParts];
#pragma unroll
  for (int part = 0; part < kParts; ++part) {
    fact[part] = part < parts ? facts(part) : make_float2(-INFINITY, 0.0f);
    joined.highest = fmaxf(joined.highest, fact[part].x);
  }
  const float base = joined.highest == -INFINITY ? 0.0f : joined.highest;
#pragma unroll
  for (int part = 0; part < kParts; ++part) {
    const float keep = exp2f(fact[part].x - base);
    joined.total = fmaf(fact[part].y, keep, joined.total);
    if (part < parts) visit(part, keep);
  }
  return joined;
}

__device__ __forceinline__ void add_scaled(float4& sum, const float4& part, float factor) {
  sum.x = fmaf(part.x, factor, sum.x), sum.y = fmaf(part.y, factor, sum.y);
  sum.z = fmaf(part.z, factor, sum.z), sum.w = fmaf(part.w, factor, sum.w);
}

template <typename Format, int kHead, int kTiles>
__device__ __forceinline__ void merge_and_store_step(const AppendAttentionArguments& a, DecodeState<kTiles, kHead>& state,
                                                     int batch, int first_head, int columns, char* shared) {
  using Memory = AppendMemory<Format, kHead, kTiles>;
  using Shape = DecodeShape<Format, kHead>;
  constexpr int kWarps = Memory::kWarps, kThreads = Memory::kThreads, kPitch = Memory::kSumPitch;
  const DecodeArguments& d = a.decode;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  __syncwarp();  // the ring of this warp has served: its memory takes the sums
  float* const own = reinterpret_cast<float*>(shared + warp * Memory::kRingBytes);
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
      float* const row = own + column * kPitch;
      if (g == 0) *reinterpret_cast<float2*>(row + kHead) = make_float2(state.highest[tile][c], total);
#pragma unroll
      for (int m = 0; m < kHead / 16; ++m) {
        row[channel_of<Format, kHead>(m, g, 0)] = state.sum[tile][m][c] + lowest;
        row[channel_of<Format, kHead>(m, g, 1)] = state.sum[tile][m][2 + c] + lowest;
      }
    }
  }
  __syncthreads();  // every warp's sums are in place

  const auto row_of = [&](int w, int column) {
    return reinterpret_cast<const float*>(shared + w * Memory::kRingBytes) + column * kPitch;
  };
  const auto store = [&](int column, int at, const float4& sum, const Joined& joined) {
    if (at >= d.head_size) return;
    if (d.partial == nullptr) {
      d.store4(batch, first_head + column, at, sum, joined.total > 0.0f ? 1.0f / joined.total : 0.0f);
      return;
    }
    const int split = static_cast<int>(blockIdx.x) / a.cluster;
    *reinterpret_cast<float4*>(d.sums(batch, first_head + column, split) + at) = sum;
    if (at == 0) {
      *reinterpret_cast<float2*>(d.weights(batch, first_head + column, split)) = make_float2(joined.highest, joined.total);
    }
  };
  const int items = columns * (kHead / 4);
  const int share = (items + a.cluster - 1) / a.cluster;  // of the sums, for each block of the cluster
  const int rank = static_cast<int>(blockIdx.x) % a.cluster;
  if (a.cluster > 1) wait_for_cluster();  // all of its blocks run
  for (int index = threadIdx.x; index < items; index += kThreads) {
    const int column = index / (kHead / 4), at = index % (kHead / 4) * 4;
    float4 sum = {};
    const Joined joined = join_softmaxes<kWarps>(
        kWarps, [&](int w) { return *reinterpret_cast<const float2*>(row_of(w, column) + kHead); },
        [&](int w, float keep) { add_scaled(sum, *reinterpret_cast<const float4*>(row_of(w, column) + at), keep); });
    if (a.cluster == 1) {
      store(column, at, sum, joined);
      continue;
    }
    const int owner = index / share, place = index - owner * share;
    *in_block_of_cluster(reinterpret_cast<float4*>(shared + Memory::kReceived) + rank * share + place, owner) = sum;
  }
  if (a.cluster == 1) return;
  for (int index = threadIdx.x; index < columns * a.cluster; index += kThreads) {
    const int owner = index / columns, column = index - owner * columns;
    const Joined joined = join_softmaxes<kWarps>(
        kWarps, [&](int w) { return *reinterpret_cast<const float2*>(row_of(w, column) + kHead); }, [](int, float) {});
    *in_block_of_cluster(reinterpret_cast<float2*>(shared + Memory::kFacts) + rank * columns + column, owner) =
        make_float2(joined.highest, joined.total);
  }
  arrive_at_cluster();
  wait_for_cluster();  // every block's part has come
  const auto* const facts = reinterpret_cast<const float2*>(shared + Memory::kFacts);
  const auto* const received = reinterpret_cast<const float4*>(shared + Memory::kReceived);
  for (int place = threadIdx.x; place < share && rank * share + place < items; place += kThreads) {
    const int index = rank * share + place, column = index / (kHead / 4), at = index % (kHead / 4) * 4;
    float4 sum = {};
    const Joined joined = join_softmaxes<kMostAppendCluster>(
        a.cluster, [&](int part) { return facts[part * columns + column]; },
        [&](int part, float keep) { add_scaled(sum, received[part * share + place], keep); });
    store(column, at, sum, joined);
  }
}

}  // namespace limen
