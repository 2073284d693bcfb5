// Which convolutions conv2d_warpgroup.cuh takes, and in which tiles.

#pragma once

#include <algorithm>

#include "device/warpgroup_launch.cuh"
#include "kernels/conv2d_tiles.cuh"
#include "kernels/conv2d_warpgroup.cuh"

namespace limen {

// A norm folded into a convolution; moments null: none.
template <typename T>
struct ConvolutionNorm {
  const float2* moments = nullptr;  // [images, groups]: mean and 1/σ
  const T* weight = nullptr;
  const T* bias = nullptr;
  int channels_per_group = 1;
  bool silu = false;
};

// Widest for most layers; narrow for the last one, which makes three colours.
using WideTile = WarpgroupTile<1, 3, 128, 3, 6, 2>;
using NarrowTile = WarpgroupTile<1, 3, 8, 3, 6, 3>;

template <typename T>
const WarpgroupDevice& convolution_device() {
  return warpgroup_device(reinterpret_cast<const void*>(conv2d_warpgroup_kernel<T, WideTile, false>));
}

template <typename T>
bool warpgroups_apply(const ConvolutionCall& call) {
  const TensorView &x = call.x, &weight = call.weight, &y = call.y;
  return weight.shape[1] == 3 && weight.shape[2] == 3 && call.stride == 1 && call.padding == 1 &&
         x.shape[3] % 64 == 0 && x.shape[3] > 0 && y.size() > 0 && y.size() / y.shape[3] < (int64_t{1} << 30) && is_aligned16(x.data) &&
         is_aligned16(weight.data) && is_aligned16(y.data) && is_aligned16(call.residual.data) &&
         reinterpret_cast<uintptr_t>(call.bias.data) % 4 == 0 &&
         convolution_device<T>().usable;
}

template <typename T, typename Tile, bool kShared>
void launch_conv2d_tile(WarpgroupConvolution<T> task, const ConvolutionCall& call, int splits) {
  const int images = static_cast<int>(call.x.shape[0]);
  task.splits = splits;
  task.tiles_y = static_cast<int>(ceil_div(task.height, 8 * Tile::kPatchesY));
  task.tiles_x = static_cast<int>(ceil_div(task.width, 8 * Tile::kPatchesX));
  task.tiles_n = static_cast<int>(ceil_div(task.out_channels, Tile::kColumns));
  task.tiles = task.tiles_y * task.tiles_x * task.tiles_n * images * task.scale * task.scale;

  const int64_t length = 9 * static_cast<int64_t>(task.channels);
  Launch launch;
  launch.grid = dim3(static_cast<unsigned>(
      kShared ? task.tiles * splits : std::min(task.tiles, convolution_device<T>().multiprocessors)));
  launch.block = dim3(Tile::kThreads);
  launch.shared_bytes = Tile::kSharedBytes;
  launch.stream = call.stream;
  launch.overlap = true;
  launch.cluster = static_cast<unsigned>(splits);
  launch_kernel(launch, conv2d_warpgroup_kernel<T, Tile, kShared>, task,
                tensor_map("conv2d", call.weight.as<const T>(), {length, task.out_channels}, {length},
                           {64, Tile::kColumns}));
}

template <typename T>
void launch_conv2d_warpgroup(const ConvolutionCall& call, const ConvolutionNorm<T>& norm) {
  WarpgroupConvolution<T> task = {};
  task.x = call.x.as<T>();
  task.moments = norm.moments;
  task.norm_weight = norm.weight;
  task.norm_bias = norm.bias;
  task.channels_per_group = norm.channels_per_group;
  task.silu = norm.silu;
  task.bias = call.bias.as<T>();
  task.residual = call.residual.as<T>();
  task.y = call.y.as<T>();
  task.height = static_cast<int>(call.x.shape[1]);
  task.width = static_cast<int>(call.x.shape[2]);
  task.channels = static_cast<int>(call.x.shape[3]);
  task.out_channels = static_cast<int>(call.weight.shape[0]);
  task.scale = call.scale;
  task.constant_weight = call.constant_weight;
  if (task.out_channels <= 8) return launch_conv2d_tile<T, NarrowTile, false>(task, call, 1);

  // Tiles that would leave half of the device idle share the slabs of 64 channels among a cluster of blocks.
  const int64_t tiles = ceil_div(task.height, 8 * WideTile::kPatchesY) * ceil_div(task.width, 8 * WideTile::kPatchesX) *
                        ceil_div(task.out_channels, WideTile::kColumns) * call.x.shape[0] * task.scale * task.scale;
  const int slabs = task.channels / 64;
  int splits = 1;
  const int room = convolution_device<T>().multiprocessors;
  while (splits < 8 && splits * 2 <= slabs && tiles * splits * 2 <= room) splits *= 2;
  if (splits == 1) return launch_conv2d_tile<T, WideTile, false>(task, call, 1);
  launch_conv2d_tile<T, WideTile, true>(task, call, splits);
}

}  // namespace limen
