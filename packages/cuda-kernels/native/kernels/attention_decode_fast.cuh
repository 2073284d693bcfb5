// Paged decode attention at the speed of memory: sixteen-byte loads, many in flight, each shared by the query heads
// that use the same keys.
//
// Geometry: block of 4 warps ↔ one split × one key head (or kGroup of its query heads) × one sequence. kLanes lanes
// hold one key between them, so a warp works on 32 / kLanes keys at a time, and four times that before it looks at
// the results: 4 key and 4 value loads in flight per lane. Every group of kLanes lanes runs its own softmax; they
// are merged at the end, over lanes by shuffles and over warps through shared memory.
// Shared memory: 4 · kGroup · (D + 2) floats.

#pragma once

#include "device/vector_io.cuh"
#include "kernels/attention_decode_common.cuh"

namespace limen {

inline constexpr int kDecodeWarps = 4;
inline constexpr int kDecodeDepth = 4;

template <typename T, int kLanes, int kGroup>
__global__ void __launch_bounds__(32 * kDecodeWarps) attention_decode_fast_kernel(const DecodeArguments<T> a) {
  constexpr int kWidth = kVectorWidth<T>;
  constexpr int kSlots = 32 / kLanes * kDecodeWarps;  // keys that the block handles side by side
  constexpr int kSpan = kLanes * kWidth;              // head size rounded up
  __shared__ float sums[kDecodeWarps][kGroup][kSpan];
  __shared__ float highs[kDecodeWarps][kGroup], totals[kDecodeWarps][kGroup];

  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int column = (lane % kLanes) * kWidth;  // which values of its key this lane holds
  const bool inside = column < a.head_size;
  const int split = blockIdx.x, batch = blockIdx.z;
  const int per_key_head = a.heads / a.key_heads;
  const int chunks = (per_key_head + kGroup - 1) / kGroup;
  const int key_head = blockIdx.y / chunks;
  const int group0 = (blockIdx.y % chunks) * kGroup;  // first of this block's query heads, within the key head
  wait_for_upstream();

  const int length = a.length_of(batch);
  const int share = keys_per_split(length, a.splits);
  const int first = split * share, last = min(length, first + share);
  // A single split must write its zeros even when there is no key.
  if (first >= last && a.splits > 1) return;
  const int* const table = a.page_table + static_cast<int64_t>(batch) * a.pages_per_sequence;

  const float scale = a.scale * 1.4426950408889634f;  // powers of two instead of e
  float q[kGroup][kWidth], sum[kGroup][kWidth] = {}, highest[kGroup], total[kGroup];
#pragma unroll
  for (int h = 0; h < kGroup; ++h) {
    const int head = key_head * per_key_head + min(group0 + h, per_key_head - 1);  // surplus heads are not stored
#pragma unroll
    for (int i = 0; i < kWidth; ++i) q[h][i] = 0.0f;
    if (inside) load16(a.q + batch * a.q_batch + head * a.q_head + column, q[h]);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) q[h][i] *= scale;
    highest[h] = -INFINITY;
    total[h] = 0.0f;
  }

  // Whole warps stay in the loop together, because scores are summed by shuffles.
  for (int start = first + warp * (32 / kLanes); start < last; start += kSlots * kDecodeDepth) {
    uint4 raw_k[kDecodeDepth], raw_v[kDecodeDepth];
#pragma unroll
    for (int step = 0; step < kDecodeDepth; ++step) {
      const int key = start + lane / kLanes + step * kSlots;
      raw_k[step] = raw_v[step] = make_uint4(0, 0, 0, 0);
      if (key < last && inside) {
        const int64_t offset = a.offset_of(table, key, key_head) + column;
        raw_k[step] = load16_raw_past_l1(a.key_pages + offset);
        raw_v[step] = load16_raw_past_l1(a.value_pages + offset);
      }
    }
    float score[kGroup][kDecodeDepth];
#pragma unroll
    for (int step = 0; step < kDecodeDepth; ++step) {
      float k[kWidth];
      unpack16<T>(raw_k[step], k);
      const bool visible = start + lane / kLanes + step * kSlots < last;
#pragma unroll
      for (int h = 0; h < kGroup; ++h) {
        float dot = 0.0f;
#pragma unroll
        for (int i = 0; i < kWidth; ++i) dot = fmaf(q[h][i], k[i], dot);
        dot = warp_sum<kLanes>(dot);
        score[h][step] = visible ? dot : -INFINITY;
      }
    }
#pragma unroll
    for (int h = 0; h < kGroup; ++h) {
      float best = highest[h];
#pragma unroll
      for (int step = 0; step < kDecodeDepth; ++step) best = fmaxf(best, score[h][step]);
      const float base = best == -INFINITY ? 0.0f : best;  // nothing seen yet: −∞ − −∞ would be NaN
      const float keep = exp2f(highest[h] - base);
      highest[h] = best;
      total[h] *= keep;
#pragma unroll
      for (int i = 0; i < kWidth; ++i) sum[h][i] *= keep;
#pragma unroll
      for (int step = 0; step < kDecodeDepth; ++step) {
        score[h][step] = exp2f(score[h][step] - base);
        total[h] += score[h][step];
      }
    }
#pragma unroll
    for (int step = 0; step < kDecodeDepth; ++step) {
      float v[kWidth];
      unpack16<T>(raw_v[step], v);
#pragma unroll
      for (int h = 0; h < kGroup; ++h) {
#pragma unroll
        for (int i = 0; i < kWidth; ++i) sum[h][i] = fmaf(score[h][step], v[i], sum[h][i]);
      }
    }
  }

  // Merge the lane groups of the warp, then the warps.
#pragma unroll
  for (int h = 0; h < kGroup; ++h) {
#pragma unroll
    for (int offset = kLanes; offset < 32; offset *= 2) {
      const float other = __shfl_xor_sync(kFullWarp, highest[h], offset);
      const float best = fmaxf(highest[h], other);
      const float base = best == -INFINITY ? 0.0f : best;
      const float keep = exp2f(highest[h] - base);
      highest[h] = best;
      total[h] *= keep;
      total[h] += __shfl_xor_sync(kFullWarp, total[h], offset);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) {
        sum[h][i] *= keep;
        sum[h][i] += __shfl_xor_sync(kFullWarp, sum[h][i], offset);
      }
    }
    if (lane < kLanes) {
#pragma unroll
      for (int i = 0; i < kWidth; ++i) sums[warp][h][column + i] = sum[h][i];
    }
    if (lane == 0) {
      highs[warp][h] = highest[h];
      totals[warp][h] = total[h];
    }
  }
  __syncthreads();  // the four warps' sums are in place
  const int stored = min(kGroup, per_key_head - group0);
  for (int index = threadIdx.x; index < stored * a.head_size; index += 32 * kDecodeWarps) {
    const int h = index / a.head_size, d = index % a.head_size;
    float best = -INFINITY;
#pragma unroll
    for (int w = 0; w < kDecodeWarps; ++w) best = fmaxf(best, highs[w][h]);
    const float base = best == -INFINITY ? 0.0f : best;
    float merged = 0.0f, weight = 0.0f;
#pragma unroll
    for (int w = 0; w < kDecodeWarps; ++w) {
      const float keep = exp2f(highs[w][h] - base);
      merged = fmaf(sums[w][h][d], keep, merged);
      weight = fmaf(totals[w][h], keep, weight);
    }
    store_share(a, batch, key_head * per_key_head + group0 + h, split, d, merged, best, weight);
  }
}

template <typename T, int kLanes>
void launch_decode_fast_for(const DecodeArguments<T>& arguments, cudaStream_t stream) {
  const int per_key_head = arguments.heads / arguments.key_heads;
  Launch launch;
  launch.block = dim3(32 * kDecodeWarps);
  launch.stream = stream;
  launch.overlap = true;
  const auto start = [&](auto kernel, int group) {
    launch.grid = dim3(arguments.splits, static_cast<unsigned>(arguments.key_heads * ceil_div(per_key_head, group)),
                       arguments.batches);
    launch_kernel(launch, kernel, arguments);
  };
  if (per_key_head == 1) return start(attention_decode_fast_kernel<T, kLanes, 1>, 1);
  if (per_key_head == 2) return start(attention_decode_fast_kernel<T, kLanes, 2>, 2);
  if (per_key_head <= 4) return start(attention_decode_fast_kernel<T, kLanes, 4>, 4);
  start(attention_decode_fast_kernel<T, kLanes, 8>, 8);
}

// The caller has checked alignment and that a head fits a warp: D ≤ 32 · kVectorWidth<T>.
template <typename T>
void launch_decode_fast(const DecodeArguments<T>& arguments, cudaStream_t stream) {
  const int vectors = arguments.head_size / kVectorWidth<T>;
  if (vectors <= 4) return launch_decode_fast_for<T, 4>(arguments, stream);
  if (vectors <= 8) return launch_decode_fast_for<T, 8>(arguments, stream);
  if (vectors <= 16) return launch_decode_fast_for<T, 16>(arguments, stream);
  launch_decode_fast_for<T, 32>(arguments, stream);
}

}  // namespace limen
