// Paged decode attention without assumptions on head size or alignment: one lane takes every 32nd value of a head.
//
// Geometry: block of 4 warps ↔ one split of one query head of one sequence; warp ↔ every fourth key.

#pragma once

#include "kernels/attention_decode_common.cuh"

namespace limen {

template <typename T, int kHead>
__global__ void __launch_bounds__(128) attention_decode_plain_kernel(const DecodeArguments<T> a) {
  constexpr int kParts = kHead / 32;
  __shared__ float sums[4][kHead];
  __shared__ float highs[4], totals[4];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int split = blockIdx.x, head = blockIdx.y, batch = blockIdx.z;
  wait_for_upstream();
  const int length = a.length_of(batch);
  const int share = keys_per_split(length, a.splits);
  const int first = split * share, last = min(length, first + share);
  // A single split must write its zeros even when there is no key.
  if (first >= last && a.splits > 1) return;

  const int key_head = head / (a.heads / a.key_heads);
  const int* const table = a.page_table + static_cast<int64_t>(batch) * a.pages_per_sequence;
  const T* const query = a.q + batch * a.q_batch + head * a.q_head;
  const float scale = a.scale * 1.4426950408889634f;  // powers of two instead of e
  float q[kParts], sum[kParts] = {};
#pragma unroll
  for (int i = 0; i < kParts; ++i) {
    const int d = i * 32 + lane;
    q[i] = d < a.head_size ? to_float(query[d]) * scale : 0.0f;
  }
  float highest = -INFINITY, total = 0.0f;
  for (int key = first + warp; key < last; key += 4) {
    const int64_t offset = a.offset_of(table, key, key_head);
    float score = 0.0f;
#pragma unroll
    for (int i = 0; i < kParts; ++i) {
      const int d = i * 32 + lane;
      if (d < a.head_size) score = fmaf(q[i], to_float(a.key_pages[offset + d]), score);
    }
    score = warp_sum(score);
    const float best = fmaxf(highest, score);
    const float keep = exp2f(highest - best), weight = exp2f(score - best);
    highest = best;
    total = total * keep + weight;
#pragma unroll
    for (int i = 0; i < kParts; ++i) {
      const int d = i * 32 + lane;
      const float value = d < a.head_size ? to_float(a.value_pages[offset + d]) : 0.0f;
      sum[i] = fmaf(weight, value, sum[i] * keep);
    }
  }
#pragma unroll
  for (int i = 0; i < kParts; ++i) sums[warp][i * 32 + lane] = sum[i];
  if (lane == 0) {
    highs[warp] = highest;
    totals[warp] = total;
  }
  __syncthreads();  // the four warps' sums are in place
  float best = -INFINITY;
#pragma unroll
  for (int w = 0; w < 4; ++w) best = fmaxf(best, highs[w]);
  const float base = best == -INFINITY ? 0.0f : best;
  for (int d = threadIdx.x; d < a.head_size; d += 128) {
    float merged = 0.0f, weight = 0.0f;
#pragma unroll
    for (int w = 0; w < 4; ++w) {
      const float keep = exp2f(highs[w] - base);
      merged = fmaf(sums[w][d], keep, merged);
      weight = fmaf(totals[w], keep, weight);
    }
    store_share(a, batch, head, split, d, merged, best, weight);
  }
}

template <typename T>
void launch_decode_plain(const DecodeArguments<T>& arguments, cudaStream_t stream) {
  Launch launch;
  launch.grid = dim3(arguments.splits, arguments.heads, arguments.batches);
  launch.block = dim3(128);
  launch.stream = stream;
  launch.overlap = true;
  if (arguments.head_size <= 128) return launch_kernel(launch, attention_decode_plain_kernel<T, 128>, arguments);
  launch_kernel(launch, attention_decode_plain_kernel<T, 512>, arguments);
}

}  // namespace limen
