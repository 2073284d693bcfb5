// How a slab of conv2d_warpgroup.cuh is filled: pixels are fetched, normed, and laid down as planes of eight channels.

#pragma once

#include "device/vector_io.cuh"
#include "device/warpgroup.cuh"
#include "kernels/conv2d_warpgroup_common.cuh"

namespace limen {

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

}  // namespace limen
