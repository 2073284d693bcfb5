// Vectors of keys and values as fp8, int8 or int4 with scales: the arithmetic between eight floats of one lane and
// their stored bits. The definition in plain loops: packages/kv-cache/src/storage-arithmetic.ts; both give the same bits.
//
// A vector of D elements is spread over a group of neighbouring lanes, eight elements each:
//   float x[8] of this lane → Range of the vector (a reduction over the group) → Scales → 8, 8 or 4 bytes → and back.

#pragma once

#include <cuda_fp8.h>

#include <cstdint>

#include "device/convert.cuh"
#include "device/int8.cuh"
#include "device/reduce.cuh"
#include "device/vector_io.cuh"

namespace limen {

enum class StorageFormat : int { kF32 = 0, kF16 = 1, kBF16 = 2, kFp8 = 3, kInt8 = 4, kInt4 = 5 };

__host__ __device__ constexpr bool has_scales(StorageFormat format) { return format >= StorageFormat::kFp8; }
// Bytes of `elements` stored elements (even for int4), without their scales.
__host__ __device__ constexpr int64_t stored_bytes(StorageFormat format, int64_t elements) {
  switch (format) {
    case StorageFormat::kF32: return 4 * elements;
    case StorageFormat::kF16:
    case StorageFormat::kBF16: return 2 * elements;
    case StorageFormat::kInt4: return elements / 2;
    default: return elements;
  }
}

// The bits of eight neighbouring elements: as many words as the format needs.
template <StorageFormat kFormat>
inline constexpr int kStoredWords = static_cast<int>(stored_bytes(kFormat, 8) / 4);

template <StorageFormat kFormat>
struct StoredEight {
  uint32_t words[kStoredWords<kFormat>];
};

// What a vector's elements are multiplied with. `inverse` is 0 where the vector is stored as zeros.
struct Scales {
  float scale;
  float lowest;  // int4 only
  float inverse;
};

// 1 / scale rounded to nearest; 0 for a scale below 2^-100, whose vector counts as zero.
__device__ __forceinline__ float inverse_of_scale(float scale) { return scale < 0x1p-100f ? 0.0f : __frcp_rn(scale); }

// Nearest f16 value, saturating: an infinite scale would turn the whole vector into NaN.
__device__ __forceinline__ float round_to_finite_half(float value) {
  return round_to<__half>(fmaxf(-65504.0f, fminf(65504.0f, value)));
}

// What the scales of a vector depend on: `high` is the largest magnitude, or for int4 the largest value.
template <StorageFormat kFormat>
struct Range {
  float low = INFINITY;
  float high = kFormat == StorageFormat::kInt4 ? -INFINITY : 0.0f;

  __device__ __forceinline__ void include(float value) {
    if constexpr (kFormat == StorageFormat::kInt4) {
      low = fminf(low, value);
      high = fmaxf(high, value);
    } else {
      high = fmaxf(high, fabsf(value));
    }
  }

  // Joins the ranges of `lanes` neighbouring lanes (a power of two, the same for the whole warp). All lanes take part.
  __device__ __forceinline__ void reduce(int lanes) {
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) {
      if (offset >= lanes) continue;
      high = fmaxf(high, __shfl_xor_sync(kFullWarp, high, offset));
      if constexpr (kFormat == StorageFormat::kInt4) low = fminf(low, __shfl_xor_sync(kFullWarp, low, offset));
    }
  }

  __device__ __forceinline__ Scales scales() const {
    Scales result = {};
    if constexpr (kFormat == StorageFormat::kInt4) {
      result.scale = round_to_finite_half(__fdiv_rn(__fsub_rn(high, low), 15.0f));
      result.lowest = round_to_finite_half(low);
      result.inverse = inverse_of_scale(result.scale);
    } else {
      const float scale = __fdiv_rn(high, kFormat == StorageFormat::kFp8 ? 448.0f : 127.0f);
      result.inverse = inverse_of_scale(scale);
      result.scale = result.inverse == 0.0f ? 0.0f : scale;
    }
    return result;
  }
};

// 1.5 · 2^23: adding it rounds to a whole number, ties to even, which then stands in the low bits.
inline constexpr float kRounding = 12582912.0f;

// Eight floats → their stored bits.
template <StorageFormat kFormat>
__device__ __forceinline__ StoredEight<kFormat> encode_eight(const float (&x)[8], const Scales& scales) {
  StoredEight<kFormat> stored;
  if constexpr (kFormat == StorageFormat::kF32) {
#pragma unroll
    for (int i = 0; i < 8; ++i) stored.words[i] = __float_as_uint(x[i]);
  } else if constexpr (kFormat == StorageFormat::kF16 || kFormat == StorageFormat::kBF16) {
    using T = std::conditional_t<kFormat == StorageFormat::kF16, __half, __nv_bfloat16>;
#pragma unroll
    for (int i = 0; i < 4; ++i) stored.words[i] = pack2<T>(x[2 * i], x[2 * i + 1]);
  } else if constexpr (kFormat == StorageFormat::kFp8) {
#pragma unroll
    for (int word = 0; word < 2; ++word) {
      const float2 low = make_float2(x[4 * word] * scales.inverse, x[4 * word + 1] * scales.inverse);
      const float2 high = make_float2(x[4 * word + 2] * scales.inverse, x[4 * word + 3] * scales.inverse);
      stored.words[word] = static_cast<uint32_t>(__nv_cvt_float2_to_fp8x2(low, __NV_SATFINITE, __NV_E4M3)) |
                           static_cast<uint32_t>(__nv_cvt_float2_to_fp8x2(high, __NV_SATFINITE, __NV_E4M3)) << 16;
    }
  } else if constexpr (kFormat == StorageFormat::kInt8) {
    // |x · inverse| ≤ 127 + 2^-16, so nothing rounds beyond ±127.
    uint32_t bits[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) bits[i] = __float_as_uint(__fmaf_rn(x[i], scales.inverse, kRounding));
#pragma unroll
    for (int word = 0; word < 2; ++word) {
      const uint32_t low = __byte_perm(bits[4 * word], bits[4 * word + 1], 0x0040u);
      const uint32_t high = __byte_perm(bits[4 * word + 2], bits[4 * word + 3], 0x0040u);
      stored.words[word] = __byte_perm(low, high, 0x5410u);
    }
  } else {
    // Rounding lowest and scale to f16 moves elements beyond the sixteen steps: clamp before taking the low bits.
    uint32_t bytes[2];  // two pairs of nibbles each, in bytes 0 and 2
#pragma unroll
    for (int four = 0; four < 2; ++four) {
      uint32_t bits[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float rounded = __fmaf_rn(__fsub_rn(x[4 * four + i], scales.lowest), scales.inverse, kRounding);
        bits[i] = __float_as_uint(fminf(fmaxf(rounded, kRounding), kRounding + 15.0f));
      }
      const uint32_t low = __byte_perm(bits[0], bits[1], 0x0040u);
      const uint32_t high = __byte_perm(bits[2], bits[3], 0x0040u);
      const uint32_t nibbles = __byte_perm(low, high, 0x5410u);
      bytes[four] = nibbles | nibbles >> 4;
    }
    stored.words[0] = __byte_perm(bytes[0], bytes[1], 0x6420u);
  }
  return stored;
}

// Their stored bits → eight floats.
template <StorageFormat kFormat>
__device__ __forceinline__ void decode_eight(const StoredEight<kFormat>& stored, const Scales& scales, float (&x)[8]) {
  if constexpr (kFormat == StorageFormat::kF32) {
#pragma unroll
    for (int i = 0; i < 8; ++i) x[i] = __uint_as_float(stored.words[i]);
  } else if constexpr (kFormat == StorageFormat::kF16 || kFormat == StorageFormat::kBF16) {
    using T = std::conditional_t<kFormat == StorageFormat::kF16, __half, __nv_bfloat16>;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float2 pair = unpack2<T>(stored.words[i]);
      x[2 * i] = pair.x;
      x[2 * i + 1] = pair.y;
    }
  } else if constexpr (kFormat == StorageFormat::kFp8) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const uint32_t pair = stored.words[i / 2] >> (16 * (i % 2));
      const __half2_raw halves =
          __nv_cvt_fp8x2_to_halfraw2(static_cast<__nv_fp8x2_storage_t>(pair & 0xffffu), __NV_E4M3);
      const float2 values = __half22float2(*reinterpret_cast<const __half2*>(&halves));
      x[2 * i] = values.x * scales.scale;
      x[2 * i + 1] = values.y * scales.scale;
    }
  } else if constexpr (kFormat == StorageFormat::kInt8) {
#pragma unroll
    for (int word = 0; word < 2; ++word) {
      float values[4];
      unpack_int8x4(stored.words[word], values);
#pragma unroll
      for (int i = 0; i < 4; ++i) x[4 * word + i] = values[i] * scales.scale;
    }
  } else {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      // nibble · scale is exact in f32, so the fused addition rounds once, as the definition does.
      const uint32_t nibble = (stored.words[0] >> (4 * i)) & 15u;
      x[i] = __fmaf_rn(__uint_as_float(nibble | 0x4b000000u) - 8388608.0f, scales.scale, scales.lowest);
    }
  }
}

// Scales of a vector in memory: f32 [1] for fp8 and int8, f16 [2] for int4, whose pair need not stand on four bytes.
template <StorageFormat kFormat>
__device__ __forceinline__ Scales load_scales(const void* pointer) {
  Scales scales = {};
  if constexpr (kFormat == StorageFormat::kInt4) {
    const __half* const pair = static_cast<const __half*>(pointer);
    scales.scale = __half2float(pair[0]);
    scales.lowest = __half2float(pair[1]);
  } else if constexpr (has_scales(kFormat)) {
    scales.scale = *static_cast<const float*>(pointer);
  }
  return scales;
}
template <StorageFormat kFormat>
__device__ __forceinline__ void store_scales(void* pointer, const Scales& scales) {
  if constexpr (kFormat == StorageFormat::kInt4) {
    __half* const pair = static_cast<__half*>(pointer);
    pair[0] = __float2half_rn(scales.scale);
    pair[1] = __float2half_rn(scales.lowest);
  } else if constexpr (has_scales(kFormat)) {
    *static_cast<float*>(pointer) = scales.scale;
  }
}

// Eight elements in memory; the pointer stands on the bytes of eight elements, at most sixteen.
template <StorageFormat kFormat>
__device__ __forceinline__ StoredEight<kFormat> load_eight(const void* pointer) {
  StoredEight<kFormat> stored;
  if constexpr (kStoredWords<kFormat> == 1) {
    stored.words[0] = *static_cast<const uint32_t*>(pointer);
  } else if constexpr (kStoredWords<kFormat> == 2) {
    const uint2 raw = *static_cast<const uint2*>(pointer);
    stored.words[0] = raw.x, stored.words[1] = raw.y;
  } else {
#pragma unroll
    for (int part = 0; part < kStoredWords<kFormat> / 4; ++part) {
      const uint4 raw = load16_raw(static_cast<const uint4*>(pointer) + part);
      stored.words[4 * part] = raw.x, stored.words[4 * part + 1] = raw.y;
      stored.words[4 * part + 2] = raw.z, stored.words[4 * part + 3] = raw.w;
    }
  }
  return stored;
}
template <StorageFormat kFormat>
__device__ __forceinline__ void store_eight(void* pointer, const StoredEight<kFormat>& stored) {
  const uint32_t* const words = stored.words;
  if constexpr (kStoredWords<kFormat> == 1) {
    *static_cast<uint32_t*>(pointer) = words[0];
  } else if constexpr (kStoredWords<kFormat> == 2) {
    *static_cast<uint2*>(pointer) = make_uint2(words[0], words[1]);
  } else {
#pragma unroll
    for (int part = 0; part < kStoredWords<kFormat> / 4; ++part) {
      const uint32_t* const four = words + 4 * part;
      store16_raw(static_cast<uint4*>(pointer) + part, make_uint4(four[0], four[1], four[2], four[3]));
    }
  }
}

}  // namespace limen
