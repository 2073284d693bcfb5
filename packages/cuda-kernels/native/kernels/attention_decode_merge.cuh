// How tensor-core decode attention ends: the softmaxes of a block's warps become one, then those of the splits of a
// cluster, and the result is stored; or the block's share goes to the workspace for attention_decode_merge_kernel.

#pragma once

#include <cooperative_groups.h>

#include <algorithm>

#include "kernels/attention_decode_step.cuh"

namespace limen {

// Shared memory of the merge, over that of the rings. Rows have four floats of padding to stay on sixteen bytes.
template <int kHead, int kWarps>
struct MergeMemory {
  static constexpr int kPitch = kHead + 4;
  float* sums;    // [warps][columns][kPitch]
  float* merged;  // [columns][kPitch], read by the whole cluster
  float* facts;   // [columns][2]: maximum and total of the block, read by the whole cluster
  float* factors;  // [splits or warps][columns]
  float* inverse;  // [columns]

  __device__ MergeMemory(float* shared, int columns, int splits) {
    sums = shared;
    merged = sums + kWarps * columns * kPitch;
    facts = merged + columns * kPitch;
    factors = facts + 2 * columns;
    inverse = factors + 2 * max(splits, kWarps) * columns;
  }
  static size_t bytes(int64_t columns, int splits) {
    return sizeof(float) * columns * ((kWarps + 1) * kPitch + 3 + 2 * std::max(splits, kWarps));
  }
};

// Factors that bring `parts` softmaxes of a column to a common maximum. `highs` and `totals` hold one value a part.
__device__ __forceinline__ float2 common_factors(const float* highs, const float* totals, int stride, int parts,
                                                 float* factors, int factor_stride) {
  float best = -INFINITY, total = 0.0f;
  for (int part = 0; part < parts; ++part) best = fmaxf(best, highs[part * stride]);
  const float base = best == -INFINITY ? 0.0f : best;
  for (int part = 0; part < parts; ++part) {
    const float keep = exp2f(highs[part * stride] - base);
    factors[part * factor_stride] = keep;
    total = fmaf(totals[part * stride], keep, total);
  }
  return make_float2(best, total);
}

// Merges the warps of the block, then the splits of the cluster, and stores what this launch is to store.
template <typename Format, int kHead, int kTiles>
__device__ __forceinline__ void merge_and_store(const DecodeArguments& a, DecodeState<kTiles, kHead>& state, int first_column,
                                                int columns, int key_head, float* shared) {
  constexpr int kWarps = kDecodeWarps<Format, kHead, kTiles>, kThreads = 32 * kWarps;
  using Memory = MergeMemory<kHead, kWarps>;
  constexpr int kPitch = Memory::kPitch;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  const Memory memory(shared, columns, a.launch_splits);
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
      float* const row = memory.sums + (warp * columns + column) * kPitch;
      if (g == 0) {
        row[kHead] = state.maximum(tile, c);
        row[kHead + 1] = total;
      }
#pragma unroll
      for (int m = 0; m < kHead / 16; ++m) {
        row[channel_of<Format, kHead>(m, g, 0)] = state.sum[tile][m][c] + lowest;
        row[channel_of<Format, kHead>(m, g, 1)] = state.sum[tile][m][2 + c] + lowest;
      }
    }
  }
  __syncthreads();  // every warp's sums are in place
  const bool alone = a.launch_splits == 1 && a.partial == nullptr;
  const int split = blockIdx.x;
  for (int column = threadIdx.x; column < columns; column += kThreads) {
    const float* const row = memory.sums + column * kPitch;
    const float2 fact = common_factors(row + kHead, row + kHead + 1, columns * kPitch, kWarps,
                                       memory.factors + column, columns);
    memory.facts[2 * column] = fact.x;
    memory.facts[2 * column + 1] = fact.y;
    memory.inverse[column] = fact.y > 0.0f ? 1.0f / fact.y : 0.0f;
    if (!alone && a.partial != nullptr) {
      const QueryRow owner = query_row(a, first_column + column, key_head);
      *reinterpret_cast<float2*>(a.weights(owner.batch, owner.head, split)) = fact;
    }
  }
  __syncthreads();  // and the factors that make them comparable
  for (int index = threadIdx.x; index < columns * (kHead / 4); index += kThreads) {
    const int column = index / (kHead / 4), d = index % (kHead / 4) * 4;
    if (d >= a.head_size) continue;
    float4 sum = {};
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      const float4 part = *reinterpret_cast<const float4*>(memory.sums + (w * columns + column) * kPitch + d);
      const float keep = memory.factors[w * columns + column];
      sum.x = fmaf(part.x, keep, sum.x), sum.y = fmaf(part.y, keep, sum.y);
      sum.z = fmaf(part.z, keep, sum.z), sum.w = fmaf(part.w, keep, sum.w);
    }
    if (!alone && a.partial == nullptr) {
      *reinterpret_cast<float4*>(memory.merged + column * kPitch + d) = sum;
      continue;
    }
    const QueryRow owner = query_row(a, first_column + column, key_head);
    if (alone) {
      a.store4(owner.batch, owner.head, d, sum, memory.inverse[column]);
    } else {
      *reinterpret_cast<float4*>(a.sums(owner.batch, owner.head, split) + d) = sum;  // D is a multiple of eight
    }
  }
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  if (alone || a.partial != nullptr) return;
  namespace cg = cooperative_groups;
  const cg::cluster_group cluster = cg::this_cluster();
  const int splits = a.launch_splits;
  cluster.sync();  // every block's rows are in place
  float* const highs = memory.sums;  // this block's own sums have served
  for (int index = threadIdx.x; index < splits * columns; index += kThreads) {
    const float2 fact = *reinterpret_cast<const float2*>(cluster.map_shared_rank(memory.facts, index / columns) +
                                                         2 * (index % columns));
    highs[2 * index] = fact.x;
    highs[2 * index + 1] = fact.y;
  }
  __syncthreads();  // maxima and totals of all splits are here
  for (int column = threadIdx.x; column < columns; column += kThreads) {
    const float2 fact = common_factors(highs + 2 * column, highs + 2 * column + 1, 2 * columns, splits,
                                       memory.factors + column, columns);
    memory.inverse[column] = fact.y > 0.0f ? 1.0f / fact.y : 0.0f;
  }
  __syncthreads();  // and the factors
  for (int index = threadIdx.x + blockIdx.x * kThreads; index < columns * (kHead / 4); index += kThreads * splits) {
    const int column = index / (kHead / 4), d = index % (kHead / 4) * 4;
    if (d >= a.head_size) continue;
    float4 sum = {};
#pragma unroll 4
    for (int part = 0; part < splits; ++part) {
      const float4 other =
          *reinterpret_cast<const float4*>(cluster.map_shared_rank(memory.merged, part) + column * kPitch + d);
      const float keep = memory.factors[part * columns + column];
      sum.x = fmaf(other.x, keep, sum.x), sum.y = fmaf(other.y, keep, sum.y);
      sum.z = fmaf(other.z, keep, sum.z), sum.w = fmaf(other.w, keep, sum.w);
    }
    const QueryRow owner = query_row(a, first_column + column, key_head);
    a.store4(owner.batch, owner.head, d, sum, memory.inverse[column]);
  }
  cluster.sync();  // nobody leaves while others still read its shared memory
#endif
}

}  // namespace limen
