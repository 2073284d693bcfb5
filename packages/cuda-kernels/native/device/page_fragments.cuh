// Stored keys and values → words of tensor-core fragments, for every storage format of the cache.
//
// A fragment word holds two values. Which two of a lane's values meet in which word is free, as long as the other
// operand pairs its values alike (keys: element_of), or the result is read back in the same order (values).
// Scales are not applied here: a key's scale belongs to its score, a value's to its weight, one multiplication for
// a whole vector.

#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>

#include "device/int8.cuh"

namespace limen {

enum class ScaleKind { kNone, kFactor, kFactorAndLowest };

// Format ↔ element type of the tensor cores, bits as stored, scales beside each vector, and how much too large keys are
// widened: the scores' accumulators begin with that taken off, which saves an instruction for every two elements.
struct PagesBF16 {
  using Compute = __nv_bfloat16;
  static constexpr int kBits = 16;
  static constexpr ScaleKind kScale = ScaleKind::kNone;
  static constexpr float kKeyBias = 0.0f;
};
struct PagesF16 {
  using Compute = __half;
  static constexpr int kBits = 16;
  static constexpr ScaleKind kScale = ScaleKind::kNone;
  static constexpr float kKeyBias = 0.0f;
};
struct PagesFp8 {
  using Compute = __half;
  static constexpr int kBits = 8;
  static constexpr ScaleKind kScale = ScaleKind::kFactor;
  static constexpr float kKeyBias = 0.0f;
  // Four e4m3 bytes → two words of two halves each, exactly. In assembly, because from the library's function each half of
  // the word comes with a shift or a mask of its own.
  static __device__ __forceinline__ void widen4(uint32_t word, uint32_t& low, uint32_t& high) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
    asm("{\n"
        ".reg .b16 first, second;\n"
        "mov.b32 {first, second}, %2;\n"
        "cvt.rn.f16x2.e4m3x2 %0, first;\n"
        "cvt.rn.f16x2.e4m3x2 %1, second;\n"
        "}"
        : "=r"(low), "=r"(high)
        : "r"(word));
#else
    const __half2_raw first = __nv_cvt_fp8x2_to_halfraw2(static_cast<__nv_fp8x2_storage_t>(word & 0xffffu), __NV_E4M3);
    const __half2_raw second = __nv_cvt_fp8x2_to_halfraw2(static_cast<__nv_fp8x2_storage_t>(word >> 16), __NV_E4M3);
    low = static_cast<uint32_t>(first.x) | static_cast<uint32_t>(first.y) << 16;
    high = static_cast<uint32_t>(second.x) | static_cast<uint32_t>(second.y) << 16;
#endif
  }
  static __device__ __forceinline__ void widen_key(uint32_t word, uint32_t& low, uint32_t& high) { widen4(word, low, high); }
  // Bytes 0 and 2, and bytes 1 and 3.
  static __device__ __forceinline__ void widen_apart(uint32_t word, uint32_t& even, uint32_t& odd) {
    widen4(__byte_perm(word, 0, 0x3120), even, odd);
  }
};
struct PagesInt8 {
  using Compute = __half;
  static constexpr int kBits = 8;
  static constexpr ScaleKind kScale = ScaleKind::kFactor;
  static constexpr float kKeyBias = kInt8Bias;
  static __device__ __forceinline__ void widen4(uint32_t word, uint32_t& low, uint32_t& high) {
    unpack_int8x4_pairs<__half>(word, low, high);
  }
  static __device__ __forceinline__ void widen_key(uint32_t word, uint32_t& low, uint32_t& high) {
    unpack_int8x4_biased(word, low, high);
  }
  static __device__ __forceinline__ void widen_apart(uint32_t word, uint32_t& even, uint32_t& odd) {
    unpack_int8x4_apart_biased(word, even, odd);
    even = take_int8_bias(even), odd = take_int8_bias(odd);
  }
};
struct PagesInt4 {
  using Compute = __half;
  static constexpr int kBits = 4;
  static constexpr ScaleKind kScale = ScaleKind::kFactorAndLowest;
  static constexpr float kKeyBias = 0.0f;
  // The lowest nibble of each half-word → two halves: a nibble in the mantissa of 1024 is 1024 plus the nibble.
  static __device__ __forceinline__ uint32_t widen(uint32_t word) {
    const uint32_t biased = (word & 0x000f000fu) | 0x64006400u;
    const __half2 pair = __hsub2(*reinterpret_cast<const __half2*>(&biased), __float2half2_rn(1024.0f));
    return *reinterpret_cast<const uint32_t*>(&pair);
  }
  // One word of each of two keys → for each of its elements the pair (first key, second key).
  static __device__ __forceinline__ void value_pairs(uint32_t first, uint32_t second, uint32_t (&pairs)[8]) {
    const uint32_t low = __byte_perm(first, second, 0x5410), high = __byte_perm(first, second, 0x7632);
#pragma unroll
    for (int nibble = 0; nibble < 4; ++nibble) {
      pairs[nibble] = widen(low >> (4 * nibble));
      pairs[4 + nibble] = widen(high >> (4 * nibble));
    }
  }
};

// Whether scores need the sum of each query's elements.
template <typename Format>
inline constexpr bool kSumsQueries = Format::kScale == ScaleKind::kFactorAndLowest || Format::kKeyBias != 0.0f;

// Where, among the contiguous elements a lane loaded, the `half` of word `word` (0, 1) of k-step `step` stands.
template <typename Format>
__device__ __forceinline__ constexpr int element_of(int step, int word, int half) {
  if (Format::kBits == 4) return step / 2 * 8 + step % 2 * 2 + word + 4 * half;
  return 4 * step + 2 * word + half;
}

// Words 0 and 1 of k-step `step` of a key, from the words the lane loaded.
template <typename Format>
__device__ __forceinline__ void key_words(const uint32_t* raw, int step, uint32_t& low, uint32_t& high) {
  if constexpr (Format::kBits == 16) {
    low = raw[2 * step];
    high = raw[2 * step + 1];
  } else if constexpr (Format::kBits == 8) {
    Format::widen_key(raw[step], low, high);
  } else {
    const uint32_t word = raw[step / 2] >> (step % 2 * 8);
    low = Format::widen(word);
    high = Format::widen(word >> 4);
  }
}

// Elements held by one word of storage.
template <typename Format>
inline constexpr int kPerWord = 32 / Format::kBits;

}  // namespace limen
