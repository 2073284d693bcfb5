// Attention on warpgroup products (sm_90a) with a running softmax: f16 and bf16, head sizes up to 128.
//
// Geometry: block ↔ 64 · kGroups queries of one head of one batch entry; group of four warps ↔ 64 queries, warp ↔ 16.
// One warp more asks the copy engine for queries, and for keys and values in tiles of kKeys, two stages of each. A
// group starts the scores of the next tile and the weighted sum of this one, then takes the next tile's maximum and
// exponentials while the sum is still being worked out; other groups fill what remains.
// Shared memory: (64 · kGroups + 4 · kKeys) · kHead values, 112 KiB for three groups, 64 keys and a head of 128; rows of
// 64 values, swizzled. Columns past the true head size and rows past the end read as zero.
// Sources: https://arxiv.org/abs/2205.14135, https://arxiv.org/abs/2407.08608.

#pragma once

#include "device/convert.cuh"
#include "device/launch.cuh"
#include "device/warpgroup_launch.cuh"
#include "kernels/attention_arguments.h"
#include "kernels/attention_flash.cuh"

namespace limen {

template <int kHead_, int kKeys_, int kGroups_>
struct WarpgroupAttention {
  static constexpr int kHead = kHead_, kKeys = kKeys_, kGroups = kGroups_, kQueries = 64 * kGroups;
  static constexpr int kThreads = 128 * (kGroups + 1);
  // All groups start with as many registers as fit; the last one hands most of its own to the others.
  static constexpr int kFetchRegisters = kGroups == 2 ? 40 : 32, kSumRegisters = kGroups == 2 ? 232 : 160;
  static constexpr int kQueryBytes = kQueries * kHead * 2, kTileBytes = kKeys * kHead * 2;
  static constexpr int kSharedBytes = 1024 + kQueryBytes + 4 * kTileBytes;
};

// The maps hold q, k and v as [head size, heads, tokens, batch]; boxes of 64 columns and 64 or kKeys rows.
template <typename T, typename Shape>
__global__ void __launch_bounds__(Shape::kThreads, 1)
    attention_warpgroup_kernel(const AttentionArguments<T> a, const __grid_constant__ CUtensorMap queries,
                               const __grid_constant__ CUtensorMap keys, const __grid_constant__ CUtensorMap values) {
#if LIMEN_WARPGROUPS
  constexpr int kHead = Shape::kHead, kKeys = Shape::kKeys, kHalves = kHead / 64;
  extern __shared__ unsigned char unaligned[];
  __shared__ uint64_t query_full, edge_full, key_full[2], key_empty[2], value_full[2], value_empty[2];
  unsigned char* const tile_q = unaligned + (1024 - shared_address(unaligned) % 1024) % 1024;
  unsigned char* const tile_k = tile_q + Shape::kQueryBytes;    // two stages
  unsigned char* const tile_v = tile_k + 2 * Shape::kTileBytes;  // two stages
  if (threadIdx.x == 0) {
    init_barrier(&query_full, 1);
    init_barrier(&edge_full, 1);
    for (int i = 0; i < 2; ++i) {
      init_barrier(key_full + i, 1), init_barrier(value_full + i, 1);
      init_barrier(key_empty + i, 4 * Shape::kGroups), init_barrier(value_empty + i, 4 * Shape::kGroups);
    }
    publish_barriers();
  }
  __syncthreads();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, group = warp / 4, g = lane / 4, t = lane % 4;
  // Causal blocks near the end see the most keys: they go first.
  const int block = gridDim.x - 1 - blockIdx.x, head = blockIdx.y, batch = blockIdx.z;
  const int block_query = block * Shape::kQueries, key_head = head / (a.heads / a.key_heads);
  wait_for_upstream();
  let_downstream_start();

  const int ahead = a.keys - a.queries;  // a causal query t sees keys up to t + ahead
  const int valid = a.lengths ? max(0, min(a.lengths[batch], a.keys)) : a.keys;
  const auto tiles_until = [&](int query_end) {
    const int reach = a.causal ? max(0, min(valid, min(query_end, a.queries) + ahead)) : valid;
    return (reach + kKeys - 1) / kKeys;
  };
  const int tiles = tiles_until(block_query + Shape::kQueries);

  if (group == Shape::kGroups) {
    if constexpr (Shape::kGroups > 1) release_registers<Shape::kFetchRegisters>();
    if (warp % 4 > 0) return;
    if (lane == 0) {
      arrive_expecting(&query_full, Shape::kQueryBytes);
      for (int half = 0; half < kHalves; ++half) {
        for (int i = 0; i < Shape::kGroups; ++i) {
          copy_box(tile_q + (half * Shape::kGroups + i) * 64 * 128, &queries, half * 64, head, block_query + i * 64,
                   batch, &query_full);
        }
      }
    }
    for (int tile = 0; tile < tiles; ++tile) {
      const int stage = tile & 1, first_key = tile * kKeys;
      const uint32_t parity = (tile >> 1 & 1) ^ 1;
      const auto fetch = [&](unsigned char* target, const CUtensorMap* map, uint64_t* barrier) {
        arrive_expecting(barrier, Shape::kTileBytes);
        for (int half = 0; half < kHalves; ++half) {
          copy_box(target + stage * Shape::kTileBytes + half * kKeys * 128, map, half * 64, key_head, first_key, batch,
                   barrier);
        }
      };
      wait_for_phase(key_empty + stage, parity);
      if (lane == 0) fetch(tile_k, &keys, key_full + stage);
      wait_for_phase(value_empty + stage, parity);
      if (first_key + kKeys <= valid || valid == a.keys) {
        if (lane == 0) fetch(tile_v, &values, value_full + stage);
        continue;
      }
      // Masked values become zeros: whatever lies there (NaN, too) must not reach a product.
      if (lane == 0) fetch(tile_v, &values, &edge_full);
      wait_for_phase(&edge_full, 0);
      for (int item = lane; item < (first_key + kKeys - valid) * 8 * kHalves; item += 32) {
        const int row = valid - first_key + item / (8 * kHalves), chunk = item % (8 * kHalves);
        *reinterpret_cast<uint4*>(tile_v + stage * Shape::kTileBytes + (chunk / 8 * kKeys + row) * 128 + chunk % 8 * 16) =
            make_uint4(0, 0, 0, 0);
      }
      publish_stores();
      __syncwarp();
      if (lane == 0) arrive(value_full + stage);
    }
    return;
  }

  if constexpr (Shape::kGroups > 1) claim_registers<Shape::kSumRegisters>();
  const int group_query = block_query + group * 64;
  const int query0 = group_query + warp % 4 * 16 + g;  // this lane's rows: query0 and query0 + 8
  const int own_tiles = group_query < a.queries ? tiles_until(group_query + 64) : 0;
  const float scale = a.scale * 1.4426950408889634f;  // powers of two instead of e
  const auto leave = [&](uint64_t* barrier) {
    __syncwarp();
    if (lane == 0) arrive(barrier);
  };

  float score[kKeys / 2], out[kHead / 2];
  uint32_t weight[kKeys / 16][4];
  float highest[2] = {-INFINITY, -INFINITY}, total[2] = {};
#pragma unroll
  for (int i = 0; i < kHead / 2; ++i) out[i] = 0.0f;
  const auto start_scores = [&](int tile) {
    wait_for_phase(key_full + (tile & 1), tile >> 1 & 1);
    const uint64_t left = swizzled_operand(shared_address(tile_q + group * 64 * 128));
    const uint64_t right = swizzled_operand(shared_address(tile_k + (tile & 1) * Shape::kTileBytes));
    begin_products();
#pragma unroll
    for (int step = 0; step < kHead / 16; ++step) {
      multiply_group<T>(score, operand_at(left, step / 4 * (Shape::kQueries * 128) + step % 4 * 32),
                        operand_at(right, step / 4 * (kKeys * 128) + step % 4 * 32), step > 0);
    }
    commit_products();
  };

  // Masks a tile, takes its maximum and exponentials; keep[] is what sums over earlier tiles are worth now.
  float keep[2];
  const auto soften = [&](int tile) {
    const int first_key = tile * kKeys;
    // Only tiles that an edge runs through need a mask.
    if (first_key + kKeys > valid || (a.causal && first_key + kKeys - 1 > group_query + warp % 4 * 16 + ahead)) {
#pragma unroll
      for (int i = 0; i < kKeys / 2; ++i) {
        const int key = first_key + i / 4 * 8 + t * 2 + (i & 1), row = query0 + (i >> 1 & 1) * 8;
        if (key >= valid || (a.causal && key > row + ahead)) score[i] = -INFINITY;
      }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float best = highest[half];
#pragma unroll
      for (int i = half * 2; i < kKeys / 2; i += 4) best = fmaxf(best, fmaxf(score[i], score[i + 1]));
      best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, 1));
      best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, 2));
      // A row that has seen no key yet: any finite base gives zeros, −∞ would give NaN.
      const float base = best == -INFINITY ? 0.0f : best * scale;
      keep[half] = exp2_fast(highest[half] * scale - base);
      highest[half] = best;
      float sum = 0.0f;
#pragma unroll
      for (int i = half * 2; i < kKeys / 2; i += 4) {
        score[i] = exp2_fast(fmaf(score[i], scale, -base));
        score[i + 1] = exp2_fast(fmaf(score[i + 1], scale, -base));
        sum += score[i] + score[i + 1];
      }
      total[half] = total[half] * keep[half] + sum;
    }
  };
  // The scores' registers are already laid out as a left operand.
  const auto pack_weights = [&] {
#pragma unroll
    for (int step = 0; step < kKeys / 16; ++step) {
#pragma unroll
      for (int i = 0; i < 4; ++i) weight[step][i] = pack2<T>(score[step * 8 + i * 2], score[step * 8 + i * 2 + 1]);
    }
  };
  const auto start_sums = [&](int tile) {
    wait_for_phase(value_full + (tile & 1), tile >> 1 & 1);
    const uint64_t right = swizzled_columns(shared_address(tile_v + (tile & 1) * Shape::kTileBytes), kKeys * 128);
    begin_products();
#pragma unroll
    for (int step = 0; step < kKeys / 16; ++step) {
      multiply_group<T>(out, weight[step], operand_at(right, step * 16 * 128), 1);
    }
    commit_products();
  };

  wait_for_phase(&query_full, 0);
  if (own_tiles > 0) {
    start_scores(0);
    wait_for_products<0>();
    hold(score);
    leave(key_empty);
    soften(0);
    pack_weights();
#pragma unroll 1
    for (int tile = 1; tile < own_tiles; ++tile) {
      // While the sums of the tile before are worked out, the exponentials of this one are taken.
      start_scores(tile);
      start_sums(tile - 1);
      wait_for_products<1>();
      hold(score);
      leave(key_empty + (tile & 1));
      soften(tile);
      wait_for_products<0>();
      hold(out);
      hold(weight);
      leave(value_empty + (tile - 1 & 1));
#pragma unroll
      for (int i = 0; i < kHead / 2; ++i) out[i] *= keep[i >> 1 & 1];
      pack_weights();
    }
    start_sums(own_tiles - 1);
    wait_for_products<0>();
    hold(out);
    leave(value_empty + (own_tiles - 1 & 1));
  }
  // Tiles that only other groups need pass through every hand all the same.
  for (int tile = own_tiles; tile < tiles; ++tile) {
    const int stage = tile & 1;
    wait_for_phase(key_full + stage, tile >> 1 & 1), leave(key_empty + stage);
    wait_for_phase(value_full + stage, tile >> 1 & 1), leave(value_empty + stage);
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
          pack2<T>(out[n * 4 + half * 2] * inverse, out[n * 4 + half * 2 + 1] * inverse);
    }
  }
#endif
}

// Narrow heads; wide ones; and with so many keys that larger tiles pay.
using NarrowAttention = WarpgroupAttention<64, 64, 1>;
using WideAttention = WarpgroupAttention<128, 64, 3>;
using LongAttention = WarpgroupAttention<128, 128, 2>;

template <typename T>
bool attention_warpgroups_apply(const AttentionArguments<T>& a) {
  return a.queries > 0 && a.keys > 0 &&
         warpgroup_device(reinterpret_cast<const void*>(attention_warpgroup_kernel<T, WideAttention>)).usable;
}

template <typename T, typename Shape>
void launch_attention_shape(const AttentionArguments<T>& a, cudaStream_t stream) {
  // The pitch of an axis of one element is never used, but it must be a legal one.
  const auto map = [&](const T* base, int heads, int64_t head, int tokens, int64_t token, int64_t batch, int rows) {
    return tensor_map("attention", base, {a.head_size, heads, tokens, a.batches},
                      {heads > 1 ? head : 8, tokens > 1 ? token : 8, a.batches > 1 ? batch : 8}, {64, 1, rows, 1});
  };
  Launch launch;
  launch.grid = dim3(static_cast<unsigned>(ceil_div(a.queries, Shape::kQueries)), a.heads, a.batches);
  launch.block = dim3(Shape::kThreads);
  launch.shared_bytes = Shape::kSharedBytes;
  launch.stream = stream;
  launch.overlap = true;
  launch_kernel(launch, attention_warpgroup_kernel<T, Shape>, a,
                map(a.q, a.heads, a.q_head, a.queries, a.q_token, a.q_batch, 64),
                map(a.k, a.key_heads, a.k_head, a.keys, a.k_token, a.k_batch, Shape::kKeys),
                map(a.v, a.key_heads, a.v_head, a.keys, a.v_token, a.v_batch, Shape::kKeys));
}

template <typename T>
void launch_attention_warpgroup(const AttentionArguments<T>& a, cudaStream_t stream) {
  if (a.head_size <= 64) return launch_attention_shape<T, NarrowAttention>(a, stream);
  if (a.keys < 2048) return launch_attention_shape<T, WideAttention>(a, stream);
  launch_attention_shape<T, LongAttention>(a, stream);
}

}  // namespace limen
