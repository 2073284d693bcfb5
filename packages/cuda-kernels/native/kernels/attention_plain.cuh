// Attention in f32 on plain arithmetic units: every type, every head size up to 512, any alignment. The tensor-core
// kernel beside it is many times faster where it applies.
//
// Geometry: block of 4 warps ↔ 16 queries of one head of one batch entry; warp ↔ 4 queries; keys pass by in tiles of
// 32, one lane a key for the scores, lanes spread over the head for the values.
// Shared memory: (16 · D + 32 · (D + 1) + 16 · 32) floats, 100 KiB for D = 512.

#pragma once

#include "device/convert.cuh"
#include "device/launch.cuh"
#include "device/reduce.cuh"
#include "kernels/attention_arguments.h"

namespace limen {

inline constexpr int kPlainWarps = 4;
inline constexpr int kPlainQueriesPerWarp = 4;
inline constexpr int kPlainQueries = kPlainWarps * kPlainQueriesPerWarp;
inline constexpr int kPlainKeys = 32;

inline size_t attention_plain_shared_bytes(int head_size) {
  return sizeof(float) * (kPlainQueries * head_size + kPlainKeys * (head_size + 1) + kPlainQueries * kPlainKeys);
}

template <typename T, int kHead>
__global__ void __launch_bounds__(32 * kPlainWarps) attention_plain_kernel(const AttentionArguments<T> a) {
  extern __shared__ float shared_floats[];
  const int size = a.head_size, pitch = size + 1;
  float* const tile_q = shared_floats;                      // [16][size]
  float* const tile_kv = tile_q + kPlainQueries * size;     // [32][size + 1], keys first, then values
  float* const tile_p = tile_kv + kPlainKeys * pitch;       // [16][32]

  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int block_query = blockIdx.x * kPlainQueries, head = blockIdx.y, batch = blockIdx.z;
  const int row0 = warp * kPlainQueriesPerWarp;
  const int key_head = head / (a.heads / a.key_heads);
  wait_for_upstream();

  const int ahead = a.keys - a.queries;
  const int valid = a.lengths ? max(0, min(a.lengths[batch], a.keys)) : a.keys;
  const int last_query = min(block_query + kPlainQueries, a.queries) - 1;
  const int reach = a.causal ? max(0, min(valid, last_query + ahead + 1)) : valid;

  for (int row = warp; row < kPlainQueries; row += kPlainWarps) {
    const int64_t query = min(block_query + row, a.queries - 1);  // surplus rows repeat the last query, unused
    const T* const source = a.q + batch * a.q_batch + query * a.q_token + head * a.q_head;
    for (int d = lane; d < size; d += 32) tile_q[row * size + d] = to_float(source[d]) * a.scale;
  }
  const auto fetch = [&](const T* base, int64_t token_stride, int first_key) {
    for (int row = warp; row < kPlainKeys; row += kPlainWarps) {
      const int64_t key = first_key + row;
      for (int d = lane; d < size; d += 32) {
        tile_kv[row * pitch + d] = key < valid ? to_float(base[key * token_stride + d]) : 0.0f;
      }
    }
  };

  float out[kPlainQueriesPerWarp][kHead / 32] = {};
  float highest[kPlainQueriesPerWarp], total[kPlainQueriesPerWarp];
#pragma unroll
  for (int i = 0; i < kPlainQueriesPerWarp; ++i) {
    highest[i] = -INFINITY;
    total[i] = 0.0f;
  }

  for (int first_key = 0; first_key < reach; first_key += kPlainKeys) {
    fetch(a.k + batch * a.k_batch + key_head * a.k_head, a.k_token, first_key);
    __syncthreads();  // keys (and, the first time, queries) are in place

    // 1. Scores: this lane's key against the warp's four queries.
    float score[kPlainQueriesPerWarp] = {};
    for (int d = 0; d < size; ++d) {
      const float value = tile_kv[lane * pitch + d];
#pragma unroll
      for (int i = 0; i < kPlainQueriesPerWarp; ++i) score[i] = fmaf(value, tile_q[(row0 + i) * size + d], score[i]);
    }

    // 2. Running softmax.
    const int key = first_key + lane;
#pragma unroll
    for (int i = 0; i < kPlainQueriesPerWarp; ++i) {
      const bool visible = key < valid && (!a.causal || key <= block_query + row0 + i + ahead);
      const float best = fmaxf(highest[i], warp_max(visible ? score[i] : -INFINITY));
      const float base = best == -INFINITY ? 0.0f : best;  // −∞ − −∞ would be NaN
      const float weight = visible ? expf(score[i] - base) : 0.0f;
      const float keep = expf(highest[i] - base);
      highest[i] = best;
      total[i] = total[i] * keep + warp_sum(weight);
#pragma unroll
      for (int n = 0; n < kHead / 32; ++n) out[i][n] *= keep;
      tile_p[(row0 + i) * kPlainKeys + lane] = weight;
    }
    __syncthreads();  // all warps are done with the keys: values take their place
    fetch(a.v + batch * a.v_batch + key_head * a.v_head, a.v_token, first_key);
    __syncthreads();  // values are in place

    // 3. Weighted sum of values.
    for (int j = 0; j < kPlainKeys; ++j) {
      float weight[kPlainQueriesPerWarp];
#pragma unroll
      for (int i = 0; i < kPlainQueriesPerWarp; ++i) weight[i] = tile_p[(row0 + i) * kPlainKeys + j];
#pragma unroll
      for (int n = 0; n < kHead / 32; ++n) {
        const int d = n * 32 + lane;
        const float value = d < size ? tile_kv[j * pitch + d] : 0.0f;
#pragma unroll
        for (int i = 0; i < kPlainQueriesPerWarp; ++i) out[i][n] = fmaf(weight[i], value, out[i][n]);
      }
    }
    __syncthreads();  // the next tile overwrites the values
  }

#pragma unroll
  for (int i = 0; i < kPlainQueriesPerWarp; ++i) {
    const int query = block_query + row0 + i;
    if (query >= a.queries) continue;
    const float inverse = total[i] > 0.0f ? 1.0f / total[i] : 0.0f;  // no visible key: zeros
    T* const target = a.y + ((int64_t{batch} * a.queries + query) * a.heads + head) * size;
#pragma unroll
    for (int n = 0; n < kHead / 32; ++n) {
      const int d = n * 32 + lane;
      if (d < size) target[d] = from_float<T>(out[i][n] * inverse);
    }
  }
}

template <typename T, int kHead>
void launch_attention_plain(const AttentionArguments<T>& arguments, cudaStream_t stream) {
  Launch launch;
  launch.grid = dim3(static_cast<unsigned>(ceil_div(arguments.queries, kPlainQueries)), arguments.heads,
                     arguments.batches);
  launch.block = dim3(32 * kPlainWarps);
  launch.shared_bytes = attention_plain_shared_bytes(arguments.head_size);
  launch.stream = stream;
  launch.overlap = true;
  launch_kernel(launch, attention_plain_kernel<T, kHead>, arguments);
}

}  // namespace limen
