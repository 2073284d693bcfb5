// Paged decode attention without assumptions on head size, alignment or types: one lane takes every 32nd value of a
// head and widens it by itself.
//
// Geometry: block of 4 warps ↔ one split of one query head of one sequence; warp ↔ every fourth key.

#pragma once

#include "device/storage_format.cuh"
#include "kernels/attention_decode_common.cuh"

namespace limen {

inline constexpr int kMostPlainHeadSize = 512;

__device__ __forceinline__ float plain_element(StorageFormat format, const char* vector, int d) {
  switch (format) {
    case StorageFormat::kF32: return reinterpret_cast<const float*>(vector)[d];
    case StorageFormat::kF16: return to_float(reinterpret_cast<const __half*>(vector)[d]);
    case StorageFormat::kBF16: return to_float(reinterpret_cast<const __nv_bfloat16*>(vector)[d]);
    case StorageFormat::kFp8: return to_float(reinterpret_cast<const __nv_fp8_e4m3*>(vector)[d]);
    case StorageFormat::kInt8: return to_float(reinterpret_cast<const int8_t*>(vector)[d]);
    default: return to_float(static_cast<uint8_t>((static_cast<uint8_t>(vector[d / 2]) >> (d % 2 * 4)) & 15));
  }
}

__device__ __forceinline__ Scales plain_scales(StorageFormat format, const PageView& view, int64_t page, int slot,
                                               int head) {
  if (format == StorageFormat::kInt4) return load_scales<StorageFormat::kInt4>(view.scale(page, slot, head));
  if (has_scales(format)) return load_scales<StorageFormat::kFp8>(view.scale(page, slot, head));
  return {1.0f, 0.0f, 0.0f};
}

template <typename T>
__global__ void __launch_bounds__(128) attention_decode_plain_kernel(const DecodeArguments a, const StorageFormat format) {
  constexpr int kParts = kMostPlainHeadSize / 32;
  __shared__ float sums[4][kMostPlainHeadSize];
  __shared__ float highs[4], totals[4];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int split = blockIdx.x, head = blockIdx.y, batch = blockIdx.z;
  wait_for_upstream();
  const int end = a.seen_of(a.length_of(batch));
  const int hidden = a.length_of(batch) - end;
  const KeyRange range = share_of_split(0, end, split, a.launch_splits, 4);
  const int key_head = head / (a.heads / a.key_heads);
  const T* const query = static_cast<const T*>(a.q) + batch * a.q_batch + head * a.q_head;
  const float factor = a.scale * 1.4426950408889634f;  // powers of two instead of e
  float q[kParts], sum[kParts] = {};
#pragma unroll
  for (int i = 0; i < kParts; ++i) {
    const int d = i * 32 + lane;
    q[i] = d < a.head_size ? to_float(query[d]) * factor : 0.0f;
  }
  float highest = -INFINITY, total = 0.0f;
  for (int key = range.first + warp; key < range.last; key += 4) {
    int slot;
    const int page = a.page_of(batch, a.position_of(key, hidden), slot);
    const char* const k = a.keys.vector(page, slot, key_head);
    const char* const v = a.values.vector(page, slot, key_head);
    const Scales key_scale = plain_scales(format, a.keys, page, slot, key_head);
    const Scales value_scale = plain_scales(format, a.values, page, slot, key_head);
    float score = 0.0f;
#pragma unroll
    for (int i = 0; i < kParts; ++i) {
      const int d = i * 32 + lane;
      if (d < a.head_size) score = fmaf(q[i], fmaf(plain_element(format, k, d), key_scale.scale, key_scale.lowest), score);
    }
    score = warp_sum(score);
    const float best = fmaxf(highest, score);
    const float keep = exp2f(highest - best), weight = exp2f(score - best);
    highest = best;
    total = total * keep + weight;
#pragma unroll
    for (int i = 0; i < kParts; ++i) {
      const int d = i * 32 + lane;
      const float value = d < a.head_size ? fmaf(plain_element(format, v, d), value_scale.scale, value_scale.lowest) : 0.0f;
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
    if (a.splits == 1) {
      a.store(batch, head, d, weight > 0.0f ? merged / weight : 0.0f);
      continue;
    }
    a.sums(batch, head, split)[d] = merged;
    if (d == 0) {
      a.weights(batch, head, split)[0] = best;
      a.weights(batch, head, split)[1] = weight;
    }
  }
}

template <typename T>
void launch_decode_plain(const DecodeArguments& arguments, StorageFormat format, cudaStream_t stream) {
  Launch launch;
  launch.grid = dim3(arguments.launch_splits, arguments.heads, arguments.batches);
  launch.block = dim3(128);
  launch.stream = stream;
  launch.overlap = true;
  launch_kernel(launch, attention_decode_plain_kernel<T>, arguments, format);
}

}  // namespace limen
