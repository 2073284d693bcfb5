// What a warp of the tensor-core decode kernels keeps from tile to tile: its queries, and their running softmax.

#pragma once

#include "kernels/attention_decode_tiles.cuh"

namespace limen {

// A weight may exceed one by as many powers of two before the running maximum is brought up to date.
inline constexpr float kMaximumSlack = 8.0f;
inline constexpr float kLeastScale = 1e-30f;  // stands for 0, whose logarithm would be −∞
// The running maximum before the first key: less than any score, and −∞ less it is −∞ still, where −∞ would give NaN.
inline constexpr float kNothingSeen = -1e30f;

// Single instructions; denormal numbers count as zero, which the library's functions take three more to avoid.
__device__ __forceinline__ float power_of_two(float exponent) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(exponent));
  return power;
}
__device__ __forceinline__ float binary_logarithm(float value) {
  float logarithm;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(logarithm) : "f"(value));
  return logarithm;
}

__device__ __forceinline__ float reciprocal(float value) {
  float inverse;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(value));
  return inverse;
}

// What a warp keeps of the queries in its columns. Lane 4·g + t: columns 2t and 2t + 1 of each tile.
template <int kTiles, int kHead>
struct DecodeState {
  float highest[kTiles][2], total[kTiles][2], lowest[kTiles][2];
  float sum[kTiles][kHead / 16][4];

  __device__ __forceinline__ void clear() {
    *this = {};
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) highest[tile][0] = highest[tile][1] = kNothingSeen;
  }
  // Totals of all lanes of the warp, when all keys have been taken.
  template <typename Format>
  __device__ __forceinline__ void join_lanes() {
#pragma unroll
    for (int offset = 4; offset < 32; offset *= 2) {
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          total[tile][c] += __shfl_xor_sync(kFullWarp, total[tile][c], offset);
          if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
            lowest[tile][c] += __shfl_xor_sync(kFullWarp, lowest[tile][c], offset);
          }
        }
      }
    }
  }
  // The maximum of all keys so far; −∞ before the first.
  __device__ __forceinline__ float maximum(int tile, int c) const {
    return highest[tile][c] == kNothingSeen ? -INFINITY : highest[tile][c];
  }
};

// Q^T fragments that a lane keeps in registers.
template <typename Format, int kHead, int kTiles>
struct QueryRegisters {
  using Shape = DecodeShape<Format, kHead>;
  uint32_t words[kTiles][kHead / 16][2];
  float sum[kTiles][2];  // of the elements of columns 2t and 2t + 1, for formats that need it

  __device__ __forceinline__ void read(int chunk, uint32_t (&q)[kTiles][Shape::kKeySteps][2]) const {
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int step = 0; step < Shape::kKeySteps; ++step) {
        q[tile][step][0] = words[tile][chunk * Shape::kKeySteps + step][0];
        q[tile][step][1] = words[tile][chunk * Shape::kKeySteps + step][1];
      }
    }
  }
};

}  // namespace limen
