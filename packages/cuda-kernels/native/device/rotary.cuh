// What the two rotary embeddings share: the frequencies of the channel pairs, made on the host, and the cosines and
// sines of one token, made once per block in shared memory.
//
// The frequencies are f32(1 / f32(base^f32(2j / R))), the arithmetic of the models' own Python code, so that
// positions in the thousands meet the same angles. They travel in the launch parameters: nothing to allocate,
// nothing to keep alive.

#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <string>

#include "core/op_error.h"
#include "core/tensor_view.h"
#include "device/convert.cuh"

namespace limen {

inline constexpr int kMaxRotaryPairs = 256;
inline constexpr int kRotaryThreads = 256;

struct RotaryFrequencies {
  int pairs = 0;
  double base = 0;
  float value[kMaxRotaryPairs] = {};
};

// The table of the last call is kept per thread: every layer of a model asks for the same one.
inline const RotaryFrequencies& rotary_frequencies(const char* op, double base, int64_t rotary_dimensions) {
  const int64_t pairs = rotary_dimensions / 2;
  if (pairs < 0 || pairs > kMaxRotaryPairs || rotary_dimensions % 2 != 0) {
    throw OpError("SHAPE_MISMATCH", std::string(op) + ": rotaryDimensions is not allowed: expected an even number " +
                                        "up to " + std::to_string(2 * kMaxRotaryPairs) + ", got " +
                                        std::to_string(rotary_dimensions));
  }
  thread_local RotaryFrequencies table;
  if (table.pairs != pairs || table.base != base) {
    for (int64_t pair = 0; pair < pairs; ++pair) {
      const float exponent = static_cast<float>(2 * pair) / static_cast<float>(rotary_dimensions);
      table.value[pair] = 1.0f / static_cast<float>(std::pow(base, static_cast<double>(exponent)));
    }
    table.pairs = static_cast<int>(pairs);
    table.base = base;
  }
  return table;
}

// Sizes and strides (in elements) of x and y as [B, T, H, D] with a dense last axis.
struct RotaryGeometry {
  int64_t tokens;  // T
  int64_t heads;   // H
  int64_t channels;  // D
  int64_t x_batch, x_token, x_head;
  int64_t y_batch, y_token, y_head;

  RotaryGeometry(const TensorView& x, const TensorView& y)
      : tokens(x.shape[1]), heads(x.shape[2]), channels(x.shape[3]),
        x_batch(x.stride[0]), x_token(x.stride[1]), x_head(x.stride[2]),
        y_batch(y.stride[0]), y_token(y.stride[1]), y_head(y.stride[2]) {}

  // Whether every head of both tensors starts on a multiple of `elements`.
  bool is_multiple_of(int64_t elements) const {
    const int64_t strides[] = {x_batch, x_token, x_head, y_batch, y_token, y_head};
    for (const int64_t stride : strides) {
      if (stride % elements != 0) return false;
    }
    return true;
  }
  bool same_strides() const { return x_batch == y_batch && x_token == y_token && x_head == y_head; }
};

// Fills cosines and sines of a position, rounded to T as the models do, and waits until all threads see them.
template <typename T>
__device__ __forceinline__ void fill_rotation(const RotaryFrequencies& frequencies, int32_t position, float* cosines,
                                              float* sines) {
  for (int pair = threadIdx.x; pair < frequencies.pairs; pair += blockDim.x) {
    float sine;
    float cosine;
    sincosf(__fmul_rn(static_cast<float>(position), frequencies.value[pair]), &sine, &cosine);
    cosines[pair] = round_to<T>(cosine);
    sines[pair] = round_to<T>(sine);
  }
  __syncthreads();  // every thread rotates with values that others computed
}

}  // namespace limen
