// Signed bytes → floats or packed 16-bit pairs without the slow integer conversion: a byte placed into the low
// mantissa bits of a constant is that constant plus the byte, and one subtraction removes the constant. Exact.

#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

namespace limen {

// Four signed bytes, lowest first.
__device__ __forceinline__ void unpack_int8x4(uint32_t word, float (&values)[4]) {
  const uint32_t biased = word ^ 0x80808080u;  // value + 128, unsigned
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    values[i] = __uint_as_float(__byte_perm(biased, 0x4b000000u, 0x7540u + i)) - 8388736.0f;  // 2^23 + 128
  }
}

// The same as two words of two halves each, lowest first, and every one of them kInt8Bias too large.
inline constexpr float kInt8Bias = 1152.0f;  // 1024 + 128
__device__ __forceinline__ void unpack_int8x4_biased(uint32_t word, uint32_t& low, uint32_t& high) {
  const uint32_t biased = word ^ 0x80808080u;
  low = __byte_perm(biased, 0x64646464u, 0x4140u), high = __byte_perm(biased, 0x64646464u, 0x4342u);
}
// Bytes 0 and 2, and bytes 1 and 3, likewise.
__device__ __forceinline__ void unpack_int8x4_apart_biased(uint32_t word, uint32_t& even, uint32_t& odd) {
  even = (word & 0x00ff00ffu) ^ 0x64806480u, odd = (word >> 8 & 0x00ff00ffu) ^ 0x64806480u;
}
__device__ __forceinline__ uint32_t take_int8_bias(uint32_t pair) {
  const __half2 rest = __hsub2(*reinterpret_cast<const __half2*>(&pair), __float2half2_rn(kInt8Bias));
  return *reinterpret_cast<const uint32_t*>(&rest);
}

// The same as two words of two T each, lowest first: words of a tensor-core fragment.
template <typename T>
__device__ __forceinline__ void unpack_int8x4_pairs(uint32_t word, uint32_t& low, uint32_t& high);
template <>
__device__ __forceinline__ void unpack_int8x4_pairs<__half>(uint32_t word, uint32_t& low, uint32_t& high) {
  unpack_int8x4_biased(word, low, high);
  low = take_int8_bias(low), high = take_int8_bias(high);
}
template <>
__device__ __forceinline__ void unpack_int8x4_pairs<__nv_bfloat16>(uint32_t word, uint32_t& low, uint32_t& high) {
  // bf16 has seven mantissa bits, too few for the trick; the upper half of the f32 is exact for |value| ≤ 256.
  float values[4];
  unpack_int8x4(word, values);
  low = __byte_perm(__float_as_uint(values[0]), __float_as_uint(values[1]), 0x7632u);
  high = __byte_perm(__float_as_uint(values[2]), __float_as_uint(values[3]), 0x7632u);
}

// Eight weights of sixteen bytes as four words of two T, whatever type W they have: with one byte a weight, `part` 0 or 1
// of them.
template <typename T, typename W>
__device__ __forceinline__ void unpack_weights(const uint32_t (&words)[4], int part, uint32_t (&pairs)[4]) {
  if constexpr (sizeof(W) == 1) {
    unpack_int8x4_pairs<T>(words[part * 2], pairs[0], pairs[1]);
    unpack_int8x4_pairs<T>(words[part * 2 + 1], pairs[2], pairs[3]);
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i) pairs[i] = words[i];
  }
}

}  // namespace limen
