// The end of a tile of conv2d_warpgroup.cuh: sums are added up within a cluster and stored in wide words.

#pragma once

#include "device/cluster.cuh"
#include "device/projection.cuh"
#include "device/vector_io.cuh"
#include "device/warpgroup.cuh"
#include "kernels/conv2d_warpgroup_common.cuh"

namespace limen {

// Words i of lanes 4g + t and words t of lanes 4g + i change places: a quad turns 4 × 8 columns by pairs into eight
// columns a lane, and back.
__device__ __forceinline__ void transpose_quad(uint32_t (&words)[4]) {
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int i = 0; i < 4; i += 2) {
    const uint32_t received = __shfl_xor_sync(0xffffffffu, t & 1 ? words[i] : words[i + 1], 1);
    (t & 1 ? words[i] : words[i + 1]) = received;
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const uint32_t received = __shfl_xor_sync(0xffffffffu, t & 2 ? words[i] : words[i + 2], 2);
    (t & 2 ? words[i] : words[i + 2]) = received;
  }
}

// Stores columns 8·block..8·block + 31 of one row; sums[i] are the two that this lane holds in block + i, `words` are
// the residual's eight of column + 8t.
template <typename T>
__device__ __forceinline__ void store_columns(const WarpgroupConvolution<T>& task, int64_t row, int column,
                                              const float (&sums)[4][2], uint32_t (&words)[4], bool inside) {
  const int own = column + (threadIdx.x % 4) * 8;
  if (task.residual) transpose_quad(words);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 added = unpack2<T>(words[i]);
    words[i] = pack2<T>(sums[i][0] + added.x, sums[i][1] + added.y);
  }
  transpose_quad(words);
  if (inside && own < task.out_channels) {
    *reinterpret_cast<uint4*>(task.y + row + own) = make_uint4(words[0], words[1], words[2], words[3]);
  }
}

// Of the blocks of eight columns in a tile, those that this block of the cluster stores.
struct BlockShare {
  int begin, end;
};

// Everyone's sums through shared memory, over the rings; each block of the cluster has its share of the columns then.
template <typename Tile>
__device__ __forceinline__ BlockShare add_up_cluster(float (&sum)[Tile::kPatchesPerGroup][Tile::kColumns / 2],
                                                     unsigned char* rings, int rank, int splits) {
#if LIMEN_WARPGROUPS
  constexpr int kPer = Tile::kPatchesPerGroup, kBlocks = Tile::kColumns / 8;
  asm volatile("bar.sync 1, %0;" ::"n"(128 * Tile::kGroups) : "memory");  // nobody reads the rings any more
  float4* const held = reinterpret_cast<float4*>(rings);
  const auto slot = [&](int i, int block) {
    return held + (i * kBlocks + block) * (128 * Tile::kGroups) + threadIdx.x;
  };
#pragma unroll
  for (int i = 0; i < kPer; ++i) {
#pragma unroll
    for (int block = 0; block < kBlocks; ++block) {
      const float* const own = sum[i] + block * 4;
      *slot(i, block) = make_float4(own[0], own[1], own[2], own[3]);
    }
  }
  sync_cluster();
  const BlockShare share = {kBlocks * rank / splits, kBlocks * (rank + 1) / splits};
#pragma unroll
  for (int i = 0; i < kPer; ++i) {
#pragma unroll
    for (int block = 0; block < kBlocks; ++block) {
      if (block < share.begin || block >= share.end) continue;
      float4 total = {};
      for (int other = 0; other < splits; ++other) {
        const float4 part = read_in_cluster(slot(i, block), other);
        total.x += part.x, total.y += part.y, total.z += part.z, total.w += part.w;
      }
      sum[i][block * 4] = total.x, sum[i][block * 4 + 1] = total.y;
      sum[i][block * 4 + 2] = total.z, sum[i][block * 4 + 3] = total.w;
    }
  }
  sync_cluster();  // nobody leaves while his sums are read
  return share;
#else
  return {};
#endif
}

// Adds bias and residual, and stores a tile in the type of the image.
template <typename Tile, bool kShared, typename T>
__device__ __forceinline__ void store_sums(const WarpgroupConvolution<T>& task, const TilePlace& place,
                                           const BlockShare& share,
                                           const float (&sum)[Tile::kPatchesPerGroup][Tile::kColumns / 2]) {
  constexpr int kPer = Tile::kPatchesPerGroup, kBlocks = Tile::kColumns / 8;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = warp / 4;
  const int out_width = task.width * task.scale;
#pragma unroll
  for (int i = 0; i < kPer; ++i) {
    const int patch = group * kPer + i;
    const int x = place.x + patch % Tile::kPatchesX * 8 + lane / 4;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int y = place.y + patch / Tile::kPatchesX * 8 + warp % 4 * 2 + half;
      const bool inside = y < task.height && x < task.width;
      const int64_t row =
          static_cast<int64_t>(place.image) * task.height * task.scale + y * task.scale + place.parity_y;
      const int64_t at = (row * out_width + x * task.scale + place.parity_x) * task.out_channels;
      // Four blocks of columns at a time in wide words, where a share has them and rows are aligned.
      constexpr int kStride = kBlocks >= 4 ? 4 : 1;
      const bool wide = kStride == 4 && (share.end - share.begin) % 4 == 0 && task.out_channels % 8 == 0;
      uint32_t words[kStride == 4 ? kBlocks / 4 : 1][4] = {};
      if (wide && task.residual && inside) {
        // All of a row's loads before its first store, which might alias them.
#pragma unroll
        for (int block = 0; block + 4 <= kBlocks; block += 4) {
          const int own = place.column + block * 8 + lane % 4 * 8;
          if (own >= task.out_channels || (kShared && (block + 4 <= share.begin || block >= share.end))) continue;
          const uint4 loaded = *reinterpret_cast<const uint4*>(task.residual + at + own);
          words[block / 4][0] = loaded.x, words[block / 4][1] = loaded.y;
          words[block / 4][2] = loaded.z, words[block / 4][3] = loaded.w;
        }
      }
#pragma unroll
      for (int block = 0; block < kBlocks; block += kStride) {
        if (kShared && (block + kStride <= share.begin || block >= share.end)) continue;
        if (wide) {
          float sums[4][2];
#pragma unroll
          for (int j = 0; j < kStride; ++j) {
            const int column = place.column + (block + j) * 8 + lane % 4 * 2;
            float2 added = {};
            if (task.bias && column < task.out_channels) {
              added = unpack2<T>(*reinterpret_cast<const uint32_t*>(task.bias + column));
            }
            sums[j][0] = sum[i][(block + j) * 4 + half * 2] + added.x;
            sums[j][1] = sum[i][(block + j) * 4 + half * 2 + 1] + added.y;
          }
          store_columns(task, at, place.column + block * 8, sums, words[block / kStride], inside);
          continue;
        }
#pragma unroll
        for (int j = 0; j < kStride * 2; ++j) {
          const int column = place.column + (block + j / 2) * 8 + lane % 4 * 2 + j % 2;
          if (!inside || column >= task.out_channels) continue;
          if (kShared && (block + j / 2 < share.begin || block + j / 2 >= share.end)) continue;
          float value = sum[i][(block + j / 2) * 4 + half * 2 + j % 2];
          if (task.bias) value += to_float(task.bias[column]);
          if (task.residual) value += to_float(task.residual[at + column]);
          task.y[at + column] = from_float<T>(value);
        }
      }
    }
  }
}

}  // namespace limen
