// The pieces of sampling from one row of logits with one block: reading the row, weighing a logit, drawing for it.

#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "device/convert.cuh"
#include "device/elementwise.cuh"
#include "device/philox.cuh"
#include "device/ranked_index.cuh"

namespace limen {

inline constexpr int kSampleThreads = 1024;

// A row of logits, walked by the whole block in quads: four neighbours share one Philox call.
template <typename T>
struct Row {
  const T* data;
  int size;

  // body(index of the first, values, how many of the four exist); missing values are NaN.
  template <typename Body>
  __device__ __forceinline__ void for_each_quad(Body&& body) const {
    const bool aligned = size % 4 == 0 && reinterpret_cast<uintptr_t>(data) % sizeof(Pack<T, 4>) == 0;
    for (int index = 4 * threadIdx.x; index < size; index += 4 * kSampleThreads) {
      float values[4];
      if (aligned) {
        const Pack<T, 4> pack = *reinterpret_cast<const Pack<T, 4>*>(data + index);
#pragma unroll
        for (int i = 0; i < 4; ++i) values[i] = to_float(pack.values[i]);
      } else {
#pragma unroll
        for (int i = 0; i < 4; ++i) values[i] = index + i < size ? to_float(data[index + i]) : NAN;
      }
      body(index, values);
    }
  }

  template <typename Body>
  __device__ __forceinline__ void for_each(Body&& body) const {
    for_each_quad([&](int index, const float(&values)[4]) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        if (index + i < size) body(index + i, values[i]);
      }
    });
  }
};

// Best of a quad by value alone. NaN ranks below everything, so missing elements cannot win over present ones.
__device__ __forceinline__ RankedIndex best_of_quad(int index, const float (&values)[4]) {
  RankedIndex best = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const RankedIndex candidate = rank_index(values[i], static_cast<uint32_t>(index + i));
    best = candidate > best ? candidate : best;
  }
  return best;
}

// Probability of a logit at this temperature, relative to the greatest one, whose weight is 1. NaN weighs nothing.
struct SoftmaxWeight {
  float maximum;
  float temperature;

  __device__ __forceinline__ float operator()(float logit) const {
    if (logit >= maximum) return 1.0f;  // also when both are infinite
    return logit < maximum ? expf((logit - maximum) / temperature) : 0.0f;
  }
  __device__ __forceinline__ float logit_of(float weight) const { return maximum + temperature * logf(weight); }
};

// Every token counts the same.
struct CountWeight {
  __device__ __forceinline__ float operator()(float logit) const { return isnan(logit) ? 0.0f : 1.0f; }
};

// The Gumbel-max score of a token: the greatest score is a draw from the softmax of logit / temperature.
struct Draw {
  uint2 key;
  uint32_t counter;
  float temperature;

  __device__ __forceinline__ RankedIndex score(int index, float logit, uint32_t bits) const {
    return rank_index(logit / temperature + gumbel_from_bits(bits), static_cast<uint32_t>(index));
  }
  __device__ __forceinline__ uint4 bits_of_quad(int index) const {
    return philox4x32_10(make_uint4(static_cast<uint32_t>(index) / 4, counter, 0, 0), key);
  }

  __device__ __forceinline__ RankedIndex from_quad(int index, const float (&values)[4]) const {
    const uint4 bits = bits_of_quad(index);
    const RankedIndex first = score(index, values[0], bits.x);
    const RankedIndex second = score(index + 1, values[1], bits.y);
    const RankedIndex third = score(index + 2, values[2], bits.z);
    const RankedIndex fourth = score(index + 3, values[3], bits.w);
    const RankedIndex front = first > second ? first : second;
    const RankedIndex back = third > fourth ? third : fourth;
    return front > back ? front : back;
  }
  __device__ __forceinline__ RankedIndex from_one(int index, float logit) const {
    const uint4 bits = bits_of_quad(index);
    const int lane = index % 4;
    return score(index, logit, lane == 0 ? bits.x : lane == 1 ? bits.y : lane == 2 ? bits.z : bits.w);
  }
};

}  // namespace limen
