// Attention on tensor cores with a running softmax: scores never leave the chip. f16 and bf16, head sizes up to 128.
//
// Geometry: block ↔ 64 queries of one head of one batch entry; warp ↔ 16 queries; keys and values pass by in tiles
// of 64, two tiles in shared memory so that the next one is on its way while this one is used.
// Shared memory: 2 × 2 × 64 × (kHead + 8) × 2 bytes, 68 KiB for kHead = 128. The eight extra values make the row
// pitch an odd number of 16-byte chunks, which keeps ldmatrix free of bank conflicts.
// Source: the online softmax of https://arxiv.org/abs/2205.14135.

#pragma once

#include "device/async_copy.cuh"
#include "device/convert.cuh"
#include "device/launch.cuh"
#include "device/mma.cuh"
#include "kernels/attention_arguments.h"

namespace limen {

inline constexpr int kFlashKeys = 64;
inline constexpr int kFlashWarps = 4;

template <int kHead>
inline constexpr int kFlashSharedBytes = 2 * 2 * kFlashKeys * (kHead + 8) * 2;

__device__ __forceinline__ float exp2_fast(float value) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
  return result;
}

// kHead is the head size rounded up to an instantiated one; columns past the true size read as zero.
template <typename T, int kHead>
__global__ void __launch_bounds__(32 * kFlashWarps, 3)
    attention_flash_kernel(const AttentionArguments<T> a) {
  constexpr int kPitch = kHead + 8, kTileElements = kFlashKeys * kPitch;
  constexpr int kThreads = 32 * kFlashWarps;
  extern __shared__ __align__(128) unsigned char shared_bytes[];
  T* const tile_k = reinterpret_cast<T*>(shared_bytes);  // two stages
  T* const tile_v = tile_k + 2 * kTileElements;          // two stages

  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  // Causal blocks near the end see the most keys: they go first.
  const int block = gridDim.x - 1 - blockIdx.x, head = blockIdx.y, batch = blockIdx.z;
  const int block_query = block * 16 * kFlashWarps;
  const int query0 = block_query + warp * 16 + g;  // this lane's rows: query0 and query0 + 8
  const int key_head = head / (a.heads / a.key_heads);
  wait_for_upstream();

  const int ahead = a.keys - a.queries;  // a causal query t sees keys up to t + ahead
  const int valid = a.lengths ? max(0, min(a.lengths[batch], a.keys)) : a.keys;
  const int last_query = min(block_query + 16 * kFlashWarps, a.queries) - 1;
  const int reach = a.causal ? max(0, min(valid, last_query + ahead + 1)) : valid;
  const int tiles = (reach + kFlashKeys - 1) / kFlashKeys;

  // A thread copies one column of chunks; head sizes that are no power of two leave a few threads idle here.
  constexpr int kLanes = kHead <= 32 ? 4 : kHead <= 64 ? 8 : 16, kRowStep = kThreads / kLanes;
  const int column = (threadIdx.x % kLanes) * 8, first_row = threadIdx.x / kLanes;
  const T* const keys = a.k + batch * a.k_batch + key_head * a.k_head + column;
  const T* const values = a.v + batch * a.v_batch + key_head * a.v_head + column;
  const auto fetch = [&](int tile) {
    if (column >= kHead) return;
    T* const target = tile_k + (tile & 1) * kTileElements + first_row * kPitch + column;
#pragma unroll 1
    for (int row = 0; row < kFlashKeys; row += kRowStep) {
      const int64_t key = tile * kFlashKeys + first_row + row;
      // Masked keys become zeros: whatever lies there (NaN, too) must not reach a product.
      const bool inside = key < valid && column < a.head_size;
      copy_async16(target + row * kPitch, inside ? keys + key * a.k_token : a.k, inside);
      copy_async16(target + 2 * kTileElements + row * kPitch, inside ? values + key * a.v_token : a.v, inside);
    }
  };
  if (tiles > 0) fetch(0);
  commit_copies();

  // Queries stay in registers, as fragments.
  uint32_t query[kHead / 16][4];
  {
    const T* const base = a.q + batch * a.q_batch + head * a.q_head;
    const auto word = [&](int row, int column) {
      if (row >= a.queries || column >= a.head_size) return 0u;
      return *reinterpret_cast<const uint32_t*>(base + row * a.q_token + column);
    };
#pragma unroll
    for (int step = 0; step < kHead / 16; ++step) {
      const int column = step * 16 + t * 2;
      query[step][0] = word(query0, column);
      query[step][1] = word(query0 + 8, column);
      query[step][2] = word(query0, column + 8);
      query[step][3] = word(query0 + 8, column + 8);
    }
  }

  const float scale = a.scale * 1.4426950408889634f;  // powers of two instead of e
  float out[kHead / 8][4] = {};
  float highest[2] = {-INFINITY, -INFINITY};
  float total[2] = {0.0f, 0.0f};  // of this lane's columns only, until the end

  for (int tile = 0; tile < tiles; ++tile) {
    if (tile + 1 < tiles) fetch(tile + 1);
    commit_copies();
    wait_for_copies<1>();
    __syncthreads();  // the tile is complete for every warp
    const T* const stage_k = tile_k + (tile & 1) * kTileElements;
    const T* const stage_v = tile_v + (tile & 1) * kTileElements;

    // 1. Scores: 16 queries × 64 keys.
    float score[kFlashKeys / 8][4] = {};
#pragma unroll
    for (int step = 0; step < kHead / 16; ++step) {
#pragma unroll
      for (int pair = 0; pair < kFlashKeys / 16; ++pair) {
        uint32_t words[4];
        const int row = pair * 16 + (lane / 16) * 8 + lane % 8;
        load_matrices(words, stage_k + row * kPitch + (step * 2 + (lane / 8) % 2) * 8);
        mma_16x8x16<T>(score[pair * 2], query[step][0], query[step][1], query[step][2], query[step][3], words[0],
                       words[1]);
        mma_16x8x16<T>(score[pair * 2 + 1], query[step][0], query[step][1], query[step][2], query[step][3], words[2],
                       words[3]);
      }
    }

    // 2. Mask, only in tiles that an edge runs through.
    const int first_key = tile * kFlashKeys;
    const bool edge = first_key + kFlashKeys > valid ||
                      (a.causal && first_key + kFlashKeys - 1 > block_query + warp * 16 + ahead);
    if (edge) {
#pragma unroll
      for (int n = 0; n < kFlashKeys / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int key = first_key + n * 8 + t * 2 + (i & 1);
          const int row = query0 + (i >> 1) * 8;
          if (key >= valid || (a.causal && key > row + ahead)) score[n][i] = -INFINITY;
        }
      }
    }

    // 3. Running softmax: new maximum, rescale what is there, exponentials.
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float best = highest[half];
#pragma unroll
      for (int n = 0; n < kFlashKeys / 8; ++n) best = fmaxf(best, fmaxf(score[n][half * 2], score[n][half * 2 + 1]));
      best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, 1));
      best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, 2));
      // A row that has seen no key yet: any finite base gives zeros, −∞ would give NaN.
      const float base = best == -INFINITY ? 0.0f : best * scale;
      const float keep = exp2_fast(highest[half] * scale - base);
      highest[half] = best;
      total[half] *= keep;
#pragma unroll
      for (int n = 0; n < kHead / 8; ++n) {
        out[n][half * 2] *= keep;
        out[n][half * 2 + 1] *= keep;
      }
#pragma unroll
      for (int n = 0; n < kFlashKeys / 8; ++n) {
        score[n][half * 2] = exp2_fast(fmaf(score[n][half * 2], scale, -base));
        score[n][half * 2 + 1] = exp2_fast(fmaf(score[n][half * 2 + 1], scale, -base));
        total[half] += score[n][half * 2] + score[n][half * 2 + 1];
      }
    }

    // 4. Weighted sum of values; the scores' registers are already laid out as the left operand.
#pragma unroll
    for (int step = 0; step < kFlashKeys / 16; ++step) {
      const uint32_t p0 = pack2<T>(score[step * 2][0], score[step * 2][1]);
      const uint32_t p1 = pack2<T>(score[step * 2][2], score[step * 2][3]);
      const uint32_t p2 = pack2<T>(score[step * 2 + 1][0], score[step * 2 + 1][1]);
      const uint32_t p3 = pack2<T>(score[step * 2 + 1][2], score[step * 2 + 1][3]);
#pragma unroll
      for (int pair = 0; pair < kHead / 16; ++pair) {
        uint32_t words[4];
        load_matrices_transposed(words, stage_v + (step * 16 + lane % 16) * kPitch + (pair * 2 + lane / 16) * 8);
        mma_16x8x16<T>(out[pair * 2], p0, p1, p2, p3, words[0], words[1]);
        mma_16x8x16<T>(out[pair * 2 + 1], p0, p1, p2, p3, words[2], words[3]);
      }
    }
    __syncthreads();  // every warp is done with the stage that the next iteration fills
  }

#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float sum = total[half];
    sum += __shfl_xor_sync(0xffffffffu, sum, 1);
    sum += __shfl_xor_sync(0xffffffffu, sum, 2);
    const float inverse = sum > 0.0f ? 1.0f / sum : 0.0f;  // no visible key: zeros
    const int row = query0 + half * 8;
    if (row >= a.queries) continue;
    T* const target = a.y + ((int64_t{batch} * a.queries + row) * a.heads + head) * a.head_size;
#pragma unroll
    for (int n = 0; n < kHead / 8; ++n) {
      const int column = n * 8 + t * 2;
      if (column >= a.head_size) continue;
      *reinterpret_cast<uint32_t*>(target + column) =
          pack2<T>(out[n][half * 2] * inverse, out[n][half * 2 + 1] * inverse);
    }
  }
}

template <typename T, int kHead>
void launch_attention_flash(const AttentionArguments<T>& arguments, cudaStream_t stream) {
  Launch launch;
  launch.grid = dim3(static_cast<unsigned>(ceil_div(arguments.queries, 16 * kFlashWarps)), arguments.heads,
                     arguments.batches);
  launch.block = dim3(32 * kFlashWarps);
  launch.shared_bytes = kFlashSharedBytes<kHead>;
  launch.stream = stream;
  launch.overlap = true;
  launch_kernel(launch, attention_flash_kernel<T, kHead>, arguments);
}

}  // namespace limen
