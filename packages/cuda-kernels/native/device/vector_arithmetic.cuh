// Arithmetic on sixteen bytes of 16-bit values as they come from memory.

#pragma once

#include <type_traits>

#include "device/vector_io.cuh"

namespace limen {

// Products of eight pairs, rounded to T.
template <typename T>
__device__ __forceinline__ uint4 multiply_pairs(const uint4& a, const uint4& b) {
  using Pair = std::conditional_t<std::is_same_v<T, __half>, __half2, __nv_bfloat162>;
  const uint32_t x[4] = {a.x, a.y, a.z, a.w}, y[4] = {b.x, b.y, b.z, b.w};
  uint32_t product[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const Pair pair = __hmul2(*reinterpret_cast<const Pair*>(&x[i]), *reinterpret_cast<const Pair*>(&y[i]));
    product[i] = *reinterpret_cast<const uint32_t*>(&pair);
  }
  return make_uint4(product[0], product[1], product[2], product[3]);
}

// `sum` and the squares of eight values, in f32.
template <typename T>
__device__ __forceinline__ float sum_of_squares(const uint4& raw, float sum) {
  float values[8];
  unpack16<T>(raw, values);
#pragma unroll
  for (int i = 0; i < 8; ++i) sum = fmaf(values[i], values[i], sum);
  return sum;
}

}  // namespace limen
