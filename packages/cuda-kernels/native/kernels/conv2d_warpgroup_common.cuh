// What the parts of conv2d_warpgroup.cuh share: the task, how a tile is laid out, and which tile a number stands for.

#pragma once

#include <cuda_runtime.h>

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

}  // namespace limen
