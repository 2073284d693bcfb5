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
#include "device/warpgroup.cuh"
#include "kernels/conv2d_warpgroup_end.cuh"
#include "kernels/conv2d_warpgroup_fill.cuh"

namespace limen {

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
      sync_cluster();
      sync_cluster();
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

    BlockShare share = {0, kBlocks};
    if constexpr (kShared) share = add_up_cluster<Tile>(sum, weights, rank, splits);
    store_sums<Tile, kShared>(task, place, share, sum);
  }
#endif
}

}  // namespace limen
