// Attention on tensor cores for heads wider than a warp's registers: 129 to 512 channels, f16 and bf16. Image decoders
// have one such head over all pixels.
//
// Geometry: block ↔ 32 queries of one head of one batch entry, and a share of the keys; the blocks of a cluster share
// the keys of their queries and merge their sums through shared memory. Keys and values pass by in tiles of 32. Of
// eight warps, four to 16 queries: eight keys each for the scores, a quarter of the head each for the values.
// Shared memory: (32 queries + 32 keys + 32 values) · (head + 8) values and scores, 107 KiB for a head of 512. Keys are
// fetched while values are used, and the other way round.
// Source: the online softmax of https://arxiv.org/abs/2205.14135.

#pragma once

#include <map>

#include "device/async_copy.cuh"
#include "device/cluster.cuh"
#include "device/convert.cuh"
#include "device/launch.cuh"
#include "device/mma.cuh"
#include "kernels/attention_arguments.h"

namespace limen {

inline constexpr int kWideRows = 32;  // queries of a block, and keys of a tile
inline constexpr int kWideThreads = 256;

template <int kHead>
struct WideShared {
  static constexpr int kPitch = kHead + 8;                 // values; an odd number of 16-byte chunks
  static constexpr int kTile = kWideRows * kPitch;         // values
  static constexpr int kScorePitch = kWideRows + 4;        // floats
  static constexpr int kWeightPitch = kWideRows + 8;       // values
  static constexpr int kSumPitch = kHead + 4;              // floats, over keys and values
  static constexpr int kBytes = 3 * kTile * 2 + kWideRows * (kScorePitch * 4 + kWeightPitch * 2) + 3 * kWideRows * 4;
  static_assert(kWideRows * kSumPitch * 4 <= 2 * kTile * 2, "sums of the cluster fit over keys and values");
};

// Grid: (blocks of queries · splits, heads, batch); a cluster is `splits` blocks.
template <typename T, int kHead>
__global__ void __launch_bounds__(kWideThreads)
    attention_wide_kernel(const AttentionArguments<T> a, const int splits) {
  using Shared = WideShared<kHead>;
  constexpr int kPitch = Shared::kPitch, kQuarter = kHead / 4;
  extern __shared__ __align__(128) unsigned char shared_bytes[];
  T* const tile_q = reinterpret_cast<T*>(shared_bytes);
  T* const tile_k = tile_q + Shared::kTile;
  T* const tile_v = tile_k + Shared::kTile;
  float* const sums = reinterpret_cast<float*>(tile_k);
  float* const scores = reinterpret_cast<float*>(tile_v + Shared::kTile);
  T* const weights = reinterpret_cast<T*>(scores + kWideRows * Shared::kScorePitch);
  float* const highest = reinterpret_cast<float*>(weights + kWideRows * Shared::kWeightPitch);
  float* const total = highest + kWideRows;
  float* const keep = total + kWideRows;

  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  const int rows = warp / 4 * 16, part = warp % 4;
  const int rank = blockIdx.x % splits, head = blockIdx.y, batch = blockIdx.z;
  const int block_query = (gridDim.x / splits - 1 - blockIdx.x / splits) * kWideRows;  // causal: the longest first
  const int key_head = head / (a.heads / a.key_heads);
  wait_for_upstream();

  const int ahead = a.keys - a.queries;
  const int valid = a.lengths ? max(0, min(a.lengths[batch], a.keys)) : a.keys;
  const int last_query = min(block_query + kWideRows, a.queries) - 1;
  const int reach = a.causal ? max(0, min(valid, last_query + ahead + 1)) : valid;
  const int tiles = (reach + kWideRows - 1) / kWideRows;
  const int tile_begin = tiles * rank / splits, tile_end = tiles * (rank + 1) / splits;

  // Rows `first`.. of one operand into shared memory; rows at and past `count` and columns past the head become zeros.
  const auto fetch = [&](T* target, const T* source, int64_t step, int first, int count) {
#pragma unroll 4
    for (int item = threadIdx.x; item < kWideRows * (kHead / 8); item += kWideThreads) {
      const int row = item / (kHead / 8), column = item % (kHead / 8) * 8;
      const bool inside = first + row < count && column < a.head_size;
      copy_async16(target + row * kPitch + column, inside ? source + (first + row) * step + column : source, inside);
    }
    commit_copies();
  };
  const T* const queries = a.q + batch * a.q_batch + head * a.q_head;
  const T* const keys = a.k + batch * a.k_batch + key_head * a.k_head;
  const T* const values = a.v + batch * a.v_batch + key_head * a.v_head;
  fetch(tile_q, queries, a.q_token, block_query, a.queries);
  if (tile_begin < tile_end) fetch(tile_k, keys, a.k_token, tile_begin * kWideRows, valid);
  if (threadIdx.x < kWideRows) highest[threadIdx.x] = -INFINITY, total[threadIdx.x] = 0.0f;

  const float scale = a.scale * 1.4426950408889634f;  // powers of two instead of e
  float out[kQuarter / 8][4] = {};
  for (int tile = tile_begin; tile < tile_end; ++tile) {
    const int first_key = tile * kWideRows;
    wait_for_copies<0>();
    __syncthreads();  // keys are complete, values of the tile before are used up
    fetch(tile_v, values, a.v_token, first_key, valid);

    // 1. Scores: 16 queries × 8 keys a warp, in four sums so that products need not wait for one another.
    float score[4][4] = {};
#pragma unroll
    for (int step = 0; step < kHead / 16; step += 2) {
      uint32_t left[2][4], right[4];
      load_matrices(right, tile_k + (part * 8 + lane % 8) * kPitch + (step * 2 + lane / 8) * 8);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        load_matrices(left[i], tile_q + (rows + lane % 16) * kPitch + ((step + i) * 2 + lane / 16) * 8);
        mma_16x8x16<T>(score[(step + i) % 4], left[i][0], left[i][1], left[i][2], left[i][3], right[i * 2],
                       right[i * 2 + 1]);
      }
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = rows + g + (i >> 1) * 8, column = part * 8 + t * 2 + (i & 1), key = first_key + column;
      const bool seen = key < valid && !(a.causal && key > block_query + row + ahead);
      scores[row * Shared::kScorePitch + column] =
          seen ? score[0][i] + score[1][i] + score[2][i] + score[3][i] : -INFINITY;
    }
    __syncthreads();  // scores are complete, keys are used up
    if (tile + 1 < tile_end) {
      fetch(tile_k, keys, a.k_token, first_key + kWideRows, valid);
    } else {
      commit_copies();
    }

    // 2. Running softmax: eight lanes a row, four keys each.
    {
      const int row = threadIdx.x / 8, first = threadIdx.x % 8 * 4;
      const float4 own = *reinterpret_cast<const float4*>(scores + row * Shared::kScorePitch + first);
      const float before = highest[row];
      float best = fmaxf(before, fmaxf(fmaxf(own.x, own.y), fmaxf(own.z, own.w)));
#pragma unroll
      for (int distance = 1; distance < 8; distance *= 2) best = fmaxf(best, __shfl_xor_sync(~0u, best, distance));
      const float base = best == -INFINITY ? 0.0f : best * scale;  // no key yet: any finite base gives zeros
      const float w[4] = {exp2f(fmaf(own.x, scale, -base)), exp2f(fmaf(own.y, scale, -base)),
                          exp2f(fmaf(own.z, scale, -base)), exp2f(fmaf(own.w, scale, -base))};
      *reinterpret_cast<uint2*>(weights + row * Shared::kWeightPitch + first) =
          make_uint2(pack2<T>(w[0], w[1]), pack2<T>(w[2], w[3]));
      float sum = (w[0] + w[1]) + (w[2] + w[3]);
#pragma unroll
      for (int distance = 1; distance < 8; distance *= 2) sum += __shfl_xor_sync(~0u, sum, distance);
      if (threadIdx.x % 8 == 0) {
        const float factor = exp2f(before * scale - base);
        keep[row] = factor;
        total[row] = total[row] * factor + sum;
        highest[row] = best;
      }
    }
    wait_for_copies<1>();
    __syncthreads();  // weights and values are complete

    // 3. Weighted sum of values: 16 queries × a quarter of the head.
    const float factors[2] = {keep[rows + g], keep[rows + g + 8]};
#pragma unroll
    for (int n = 0; n < kQuarter / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) out[n][i] *= factors[i >> 1];
    }
#pragma unroll
    for (int step = 0; step < kWideRows / 16; ++step) {
      uint32_t left[4];
      load_matrices(left, weights + (rows + lane % 16) * Shared::kWeightPitch + (step * 2 + lane / 16) * 8);
#pragma unroll
      for (int pair = 0; pair < kQuarter / 16; ++pair) {
        uint32_t right[4];
        load_matrices_transposed(right, tile_v + (step * 16 + lane % 16) * kPitch + part * kQuarter + pair * 16 +
                                            lane / 16 * 8);
        mma_16x8x16<T>(out[pair * 2], left[0], left[1], left[2], left[3], right[0], right[1]);
        mma_16x8x16<T>(out[pair * 2 + 1], left[0], left[1], left[2], left[3], right[2], right[3]);
      }
    }
  }
  wait_for_copies<0>();
  __syncthreads();  // keys and values are used up: sums take their place

#pragma unroll
  for (int n = 0; n < kQuarter / 8; ++n) {
#pragma unroll
    for (int i = 0; i < 4; i += 2) {
      float* const target = sums + (rows + g + (i >> 1) * 8) * Shared::kSumPitch + part * kQuarter + n * 8 + t * 2;
      *reinterpret_cast<float2*>(target) = make_float2(out[n][i], out[n][i + 1]);
    }
  }
  if (splits > 1) {
    sync_cluster();
  } else {
    __syncthreads();
  }
  // A warp a row; the blocks of the cluster take turns.
  for (int row = rank + warp * splits; row < kWideRows; row += splits * (kWideThreads / 32)) {
    if (block_query + row >= a.queries) break;
    float best = -INFINITY, sum = 0.0f;
    for (int other = 0; other < splits; ++other) {
      best = fmaxf(best, splits > 1 ? read_in_cluster(highest + row, other) : highest[row]);
    }
    const float base = best == -INFINITY ? 0.0f : best * scale;
    float merged[kHead / 32] = {};
    for (int other = 0; other < splits; ++other) {
      const float theirs = splits > 1 ? read_in_cluster(highest + row, other) : highest[row];
      const float factor = exp2f(theirs * scale - base);
      sum += factor * (splits > 1 ? read_in_cluster(total + row, other) : total[row]);
#pragma unroll
      for (int i = 0; i < kHead / 32; ++i) {
        const float* const own = sums + row * Shared::kSumPitch + i * 32 + lane;
        merged[i] = fmaf(factor, splits > 1 ? read_in_cluster(own, other) : *own, merged[i]);
      }
    }
    const float inverse = sum > 0.0f ? 1.0f / sum : 0.0f;  // no visible key: zeros
    T* const target = a.y + ((int64_t{batch} * a.queries + block_query + row) * a.heads + head) * a.head_size;
#pragma unroll
    for (int i = 0; i < kHead / 32; ++i) {
      if (i * 32 + lane < a.head_size) target[i * 32 + lane] = from_float<T>(merged[i] * inverse);
    }
  }
  if (splits > 1) sync_cluster();  // nobody leaves while his sums are read
}

// Whether a block's shared memory is there at all, and how many blocks a cluster may have.
struct WideLimits {
  int shared_bytes, multiprocessors;
  bool clusters;
};
inline const WideLimits& wide_limits() {
  thread_local std::map<int, WideLimits> known;
  int device = 0;
  LIMEN_CUDA_CHECK(cudaGetDevice(&device));
  const auto found = known.find(device);
  if (found != known.end()) return found->second;
  WideLimits limits = {};
  int major = 0;
  LIMEN_CUDA_CHECK(cudaDeviceGetAttribute(&limits.shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  LIMEN_CUDA_CHECK(cudaDeviceGetAttribute(&limits.multiprocessors, cudaDevAttrMultiProcessorCount, device));
  LIMEN_CUDA_CHECK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
  limits.clusters = major >= 9;
  return known.emplace(device, limits).first->second;
}

// Returns false, having done nothing, on a device with too little shared memory.
template <typename T, int kHead>
bool launch_attention_wide(const AttentionArguments<T>& arguments, cudaStream_t stream) {
  const WideLimits& limits = wide_limits();
  if (limits.shared_bytes < WideShared<kHead>::kBytes) return false;
  const int64_t blocks = ceil_div(arguments.queries, kWideRows);
  const int64_t all = blocks * arguments.heads * arguments.batches, tiles = ceil_div(arguments.keys, kWideRows);
  // As many as give each two tiles at least and let all clusters run at once. A cluster lives within a group of sixteen
  // multiprocessors or so.
  const auto fits = [&](int count) {
    return limits.clusters && tiles >= 2 * count && 16 / count * (limits.multiprocessors / 16) >= all;
  };
  int splits = 1;
  while (splits < 8 && fits(splits + 1)) ++splits;
  Launch launch;
  launch.grid = dim3(static_cast<unsigned>(blocks * splits), arguments.heads, arguments.batches);
  launch.block = dim3(kWideThreads);
  launch.shared_bytes = WideShared<kHead>::kBytes;
  launch.stream = stream;
  launch.overlap = true;
  launch.cluster = static_cast<unsigned>(splits);
  launch_kernel(launch, attention_wide_kernel<T, kHead>, arguments, splits);
  return true;
}

}  // namespace limen
