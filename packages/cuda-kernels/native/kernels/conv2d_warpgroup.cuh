// 3 × 3 convolutions on warpgroup products (sm_90a), with what stands before them folded in: group norm and SiLU, and
// doubling of the image. f16 and bf16, stride 1, padding 1, channels a multiple of 64.
//
// An implicit matrix product whose patches lie in shared memory once for all nine taps. A block takes kPatchesY ×
// kPatchesX patches of 8 × 8 pixels by kColumns output channels; 64 input channels ("a slab") of the patches and the
// border of one pixel around them stand in shared memory as planes of eight channels, pixel after pixel, sixteen bytes
// each. Eight pixels in a row are then a brick of the left operand wherever they begin, so a tap is nothing but another
// start address. The norm and the SiLU are applied once on the way in, not nine times.
//
// Warps: one group of four for each 64 × kColumns products; two more in which one warp asks for the weights (tensor map,
// one tap of one slab at a time) and seven fill slabs. Barriers in shared memory pass stages to and fro; a block goes
// from tile to tile, and its next slab and weights are on their way while the sums of a tile are stored. With few tiles
// the slabs are shared by a cluster of blocks, which add up their sums through shared memory.
// Shared memory: kSlabStages slabs and kWeightStages × 64 × kColumns × 2 bytes.
// Doubling: the pixels of one parity of the larger image form a grid whose taps are pixels of the small one, some of them
// twice; so there are four grids to compute.

#pragma once

#include "device/launch.cuh"
#include "device/projection.cuh"
#include "device/vector_io.cuh"
#include "device/warpgroup.cuh"

namespace limen {

template <typename T>
struct WarpgroupConvolution {
  const T* x;           // [images, height, width, channels]
  const float2* moments;  // [images, groups]: mean and 1/σ; null: no norm
  const T* norm_weight;   // [channels]
  const T* norm_bias;
  const T* bias;      // [out_channels] or null
  const T* residual;  // as y, or null
  T* y;               // [images, scale · height, scale · width, out_channels]
  int height, width, channels, out_channels;
  int channels_per_group;
  int scale;   // 1, or 2: the image is doubled first
  int silu;    // after the norm
  int splits;  // blocks of a cluster that share the slabs of a tile
  int tiles_x, tiles_y, tiles_n, tiles;
  int constant_weight;
};

template <int kPatchesY_, int kPatchesX_, int kColumns_, int kGroups_, int kWeightStages_, int kSlabStages_ = 3>
struct WarpgroupTile {
  static constexpr int kPatchesY = kPatchesY_, kPatchesX = kPatchesX_, kColumns = kColumns_;
  static constexpr int kGroups = kGroups_, kWeightStages = kWeightStages_, kSlabStages = kSlabStages_;
  static constexpr int kPatches = kPatchesY * kPatchesX, kPatchesPerGroup = kPatches / kGroups;
  static constexpr int kThreads = 128 * (kGroups + 2);
  static constexpr int kFillWarps = 7, kFillPixels = kFillWarps * 4;  // pixels side by side
  static constexpr int kPitch = 8 * kPatchesX + 2, kPixels = (8 * kPatchesY + 2) * kPitch;
  // A plane's size is 16 modulo 128, so that the eight chunks of a pixel are stored to different banks.
  static constexpr int kPlaneBytes = (kPixels * 16 + 111) / 128 * 128 + 16;
  static constexpr int kSlabBytes = 8 * kPlaneBytes;
  static constexpr int kWeightBytes = kColumns * 128;
  static constexpr int kRingBytes = kSlabStages * kSlabBytes + kWeightStages * kWeightBytes;
  static constexpr int kSumBytes = kPatches * 64 * kColumns * 4;  // what a cluster exchanges, over the rings
  static constexpr int kSharedBytes = 1024 + (kRingBytes > kSumBytes ? kRingBytes : kSumBytes);
  static_assert(kPatches % kGroups == 0);
};

inline constexpr int kTaps = 9;
// Five groups of warps start with 96 registers a thread; those that fill hand some to those that sum.
inline constexpr int kFillRegisters = 72, kSumRegisters = 112;

// Which tile a number stands for: output channels fastest, so that blocks at work together share pixels.
struct TilePlace {
  int image, parity_y, parity_x, y, x, column;
};
template <typename Tile, typename T>
__device__ __forceinline__ TilePlace place_of(const WarpgroupConvolution<T>& task, int number) {
  TilePlace place;
  place.column = number % task.tiles_n * Tile::kColumns;
  number /= task.tiles_n;
  place.x = number % task.tiles_x * (8 * Tile::kPatchesX);
  number /= task.tiles_x;
  place.y = number % task.tiles_y * (8 * Tile::kPatchesY);
  number /= task.tiles_y;
  place.parity_x = task.scale == 2 ? number & 1 : 0;
  place.parity_y = task.scale == 2 ? number >> 1 & 1 : 0;
  place.image = task.scale == 2 ? number >> 2 : number;
  return place;
}

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

// x · sigmoid(x) without the care that tiny numbers take, of which nothing is left after rounding to 16 bits.
__device__ __forceinline__ float silu_flushed(float x) {
  float power, inverse;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x * -1.4426950408889634f));
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(1.0f + power));
  return x * inverse;
}

// Fills one slab: `thread` of 224.
template <typename Tile, typename T>
__device__ __forceinline__ void fill_slab(const WarpgroupConvolution<T>& task, const TilePlace& place, int channel0,
                                          int thread, unsigned char* slab, uint64_t* empty, uint32_t empty_parity) {
  constexpr int kStep = Tile::kFillPixels, kBatch = 5;
  const int chunk = thread % 8, channel = channel0 + chunk * 8;
  const T* const image =
      task.x + static_cast<int64_t>(place.image) * task.height * task.width * task.channels + channel;
  float factor[8], offset[8];
  if (task.moments) {
    float weight[8], bias[8];
    load16(task.norm_weight + channel, weight);
    load16(task.norm_bias + channel, bias);
    const float2* moment = task.moments + place.image * (task.channels / task.channels_per_group);
    int group = channel / task.channels_per_group, rest = channel % task.channels_per_group;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float2 own = moment[group];
      factor[i] = weight[i] * own.y;
      offset[i] = fmaf(-own.x, factor[i], bias[i]);
      if (++rest == task.channels_per_group) rest = 0, ++group;
    }
  }
  bool waited = false;
#pragma unroll 1
  for (int first = thread / 8; first < Tile::kPixels; first += kStep * kBatch) {
    uint4 held[kBatch];
    uint32_t inside = 0;
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      const int pixel = first + i * kStep;
      const int y = place.y + pixel / Tile::kPitch - 1, x = place.x + pixel % Tile::kPitch - 1;
      held[i] = make_uint4(0, 0, 0, 0);
      if (y >= 0 && y < task.height && x >= 0 && x < task.width && pixel < Tile::kPixels) {
        inside |= 1u << i;
        held[i] = *reinterpret_cast<const uint4*>(image + (static_cast<int64_t>(y) * task.width + x) * task.channels);
      }
    }
    if (!waited) wait_for_phase(empty, empty_parity);
    waited = true;
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      const int pixel = first + i * kStep;
      if (task.moments && (inside >> i & 1)) {
        float values[8];
        unpack16<T>(held[i], values);
#pragma unroll
        for (int j = 0; j < 8; ++j) values[j] = fmaf(values[j], factor[j], offset[j]);
        if (task.silu) {
#pragma unroll
          for (int j = 0; j < 8; ++j) values[j] = silu_flushed(values[j]);
        }
        held[i] = pack16<T>(values);
      }
      if (pixel < Tile::kPixels) {
        *reinterpret_cast<uint4*>(slab + chunk * Tile::kPlaneBytes + pixel * 16) = held[i];
      }
    }
  }
}

__device__ __forceinline__ void meet_cluster() {
#if LIMEN_WARPGROUPS
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
#endif
}
__device__ __forceinline__ float4 read_from_block(uint32_t address, int rank) {
  float4 value = {};
#if LIMEN_WARPGROUPS
  asm volatile(
      "{ .reg .b32 there; mapa.shared::cluster.u32 there, %4, %5;\n"
      "  ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [there]; }"
      : "=f"(value.x), "=f"(value.y), "=f"(value.z), "=f"(value.w)
      : "r"(address), "r"(rank)
      : "memory");
#endif
  return value;
}

template <typename T, typename Tile, bool kShared>
__global__ void __launch_bounds__(Tile::kThreads, 1)
    conv2d_warpgroup_kernel(const WarpgroupConvolution<T> task, const __grid_constant__ CUtensorMap weight) {
#if LIMEN_WARPGROUPS
  extern __shared__ unsigned char unaligned[];
  __shared__ uint64_t slab_full[Tile::kSlabStages], slab_empty[Tile::kSlabStages];
  __shared__ uint64_t weight_full[Tile::kWeightStages], weight_empty[Tile::kWeightStages];
  unsigned char* const weights = unaligned + (1024 - shared_address(unaligned) % 1024) % 1024;
  unsigned char* const slabs = weights + Tile::kWeightStages * Tile::kWeightBytes;
  if (threadIdx.x == 0) {
    for (int i = 0; i < Tile::kSlabStages; ++i) {
      init_barrier(slab_full + i, Tile::kFillWarps);
      init_barrier(slab_empty + i, 4 * Tile::kGroups);
    }
    for (int i = 0; i < Tile::kWeightStages; ++i) {
      init_barrier(weight_full + i, 1);
      init_barrier(weight_empty + i, 4 * Tile::kGroups);
    }
    publish_barriers();
  }
  __syncthreads();
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = warp / 4;
  const int rank = kShared ? blockIdx.x % task.splits : 0, splits = kShared ? task.splits : 1;
  const int first_tile = blockIdx.x / splits, tile_step = gridDim.x / splits;
  const int all_slabs = task.channels / 64;
  const int slab_begin = all_slabs * rank / splits, slab_end = all_slabs * (rank + 1) / splits;
  let_downstream_start();

  if (group >= Tile::kGroups) {
    release_registers<kFillRegisters>();
    if (warp == 4 * Tile::kGroups) {
      // Weights: one tap of one slab after the other.
      if (!task.constant_weight) wait_for_upstream();
      if (lane == 0) {
        int stage = 0;
        uint32_t parity = 0;
        for (int number = first_tile; number < task.tiles; number += tile_step) {
          const int column = number % task.tiles_n * Tile::kColumns;
          for (int slab = slab_begin; slab < slab_end; ++slab) {
            for (int tap = 0; tap < kTaps; ++tap) {
              wait_for_phase(weight_empty + stage, parity ^ 1);
              arrive_expecting(weight_full + stage, Tile::kWeightBytes);
              copy_box(weights + stage * Tile::kWeightBytes, &weight, tap * task.channels + slab * 64, column,
                       weight_full + stage);
              if (++stage == Tile::kWeightStages) stage = 0, parity ^= 1;
            }
          }
        }
      }
      __syncwarp();
    } else {
      wait_for_upstream();
      int stage = 0;
      uint32_t parity = 0;
      for (int number = first_tile; number < task.tiles; number += tile_step) {
        const TilePlace place = place_of<Tile>(task, number);
        for (int slab = slab_begin; slab < slab_end; ++slab) {
          fill_slab<Tile>(task, place, slab * 64, threadIdx.x - 128 * Tile::kGroups - 32,
                          slabs + stage * Tile::kSlabBytes, slab_empty + stage, parity ^ 1);
          publish_stores();
          __syncwarp();
          if (lane == 0) arrive(slab_full + stage);
          if (++stage == Tile::kSlabStages) stage = 0, parity ^= 1;
        }
      }
    }
    if constexpr (kShared) {
      meet_cluster();
      meet_cluster();
    }
    return;
  }

  claim_registers<kSumRegisters>();
  wait_for_upstream();
  constexpr int kPer = Tile::kPatchesPerGroup, kBlocks = Tile::kColumns / 8;
  int slab_stage = 0, weight_stage = 0;
  uint32_t slab_parity = 0, weight_parity = 0;
  const auto leave = [&](uint64_t* barrier) {
    __syncwarp();
    if (lane == 0) arrive(barrier);
  };
  for (int number = first_tile; number < task.tiles; number += tile_step) {
    const TilePlace place = place_of<Tile>(task, number);
    float sum[kPer][kBlocks * 4];
    int previous = -1, previous_slab = -1;
    for (int slab = slab_begin; slab < slab_end; ++slab) {
      wait_for_phase(slab_full + slab_stage, slab_parity);
      const uint32_t base = shared_address(slabs + slab_stage * Tile::kSlabBytes);
#pragma unroll 1
      for (int tap = 0; tap < kTaps; ++tap) {
        const int tap_y = tap / 3, tap_x = tap % 3;
        const int down = task.scale == 2 ? (place.parity_y + tap_y + 1) >> 1 : tap_y;
        const int right = task.scale == 2 ? (place.parity_x + tap_x + 1) >> 1 : tap_x;
        wait_for_phase(weight_full + weight_stage, weight_parity);
        const uint64_t columns = swizzled_operand(shared_address(weights + weight_stage * Tile::kWeightBytes));
        begin_products();
#pragma unroll
        for (int i = 0; i < kPer; ++i) {
          const int patch = group * kPer + i;
          const int pixel = (patch / Tile::kPatchesX * 8 + down) * Tile::kPitch + patch % Tile::kPatchesX * 8 + right;
          const uint64_t pixels = plain_operand(base + pixel * 16, Tile::kPlaneBytes, Tile::kPitch * 16);
#pragma unroll
          for (int step = 0; step < 4; ++step) {
            multiply_group<T>(sum[i], operand_at(pixels, step * 2 * Tile::kPlaneBytes), operand_at(columns, step * 32),
                              slab > slab_begin || tap > 0 || step > 0);
          }
        }
        commit_products();
        // The products of the tap before are complete: what they read may be overwritten.
        wait_for_products<1>();
        if (previous >= 0) leave(weight_empty + previous);
        if (tap == 0 && previous_slab >= 0) leave(slab_empty + previous_slab);
        previous = weight_stage;
        if (++weight_stage == Tile::kWeightStages) weight_stage = 0, weight_parity ^= 1;
      }
      previous_slab = slab_stage;
      if (++slab_stage == Tile::kSlabStages) slab_stage = 0, slab_parity ^= 1;
    }
    wait_for_products<0>();
#pragma unroll
    for (int i = 0; i < kPer; ++i) hold(sum[i]);
    leave(weight_empty + previous);
    leave(slab_empty + previous_slab);

    int block_begin = 0, block_end = kBlocks;
    if constexpr (kShared) {
      // Everyone's sums through shared memory; each block of the cluster stores its share of the columns.
      asm volatile("bar.sync 1, %0;" ::"n"(128 * Tile::kGroups) : "memory");  // nobody reads the rings any more
      float4* const held = reinterpret_cast<float4*>(weights);
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
      meet_cluster();
      block_begin = kBlocks * rank / splits, block_end = kBlocks * (rank + 1) / splits;
#pragma unroll
      for (int i = 0; i < kPer; ++i) {
#pragma unroll
        for (int block = 0; block < kBlocks; ++block) {
          if (block < block_begin || block >= block_end) continue;
          float4 total = {};
          for (int other = 0; other < splits; ++other) {
            const float4 part = read_from_block(shared_address(slot(i, block)), other);
            total.x += part.x, total.y += part.y, total.z += part.z, total.w += part.w;
          }
          sum[i][block * 4] = total.x, sum[i][block * 4 + 1] = total.y;
          sum[i][block * 4 + 2] = total.z, sum[i][block * 4 + 3] = total.w;
        }
      }
      meet_cluster();  // nobody leaves while his sums are read
    }

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
        const bool wide = kStride == 4 && (block_end - block_begin) % 4 == 0 && task.out_channels % 8 == 0;
        uint32_t words[kStride == 4 ? kBlocks / 4 : 1][4] = {};
        if (wide && task.residual && inside) {
          // All of a row's loads before its first store, which might alias them.
#pragma unroll
          for (int block = 0; block + 4 <= kBlocks; block += 4) {
            const int own = place.column + block * 8 + lane % 4 * 8;
            if (own >= task.out_channels || (kShared && (block + 4 <= block_begin || block >= block_end))) continue;
            const uint4 loaded = *reinterpret_cast<const uint4*>(task.residual + at + own);
            words[block / 4][0] = loaded.x, words[block / 4][1] = loaded.y;
            words[block / 4][2] = loaded.z, words[block / 4][3] = loaded.w;
          }
        }
#pragma unroll
        for (int block = 0; block < kBlocks; block += kStride) {
          if (kShared && (block + kStride <= block_begin || block >= block_end)) continue;
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
            if (kShared && (block + j / 2 < block_begin || block + j / 2 >= block_end)) continue;
            float value = sum[i][(block + j / 2) * 4 + half * 2 + j % 2];
            if (task.bias) value += to_float(task.bias[column]);
            if (task.residual) value += to_float(task.residual[at + column]);
            task.y[at + column] = from_float<T>(value);
          }
        }
      }
    }
  }
#endif
}

}  // namespace limen
