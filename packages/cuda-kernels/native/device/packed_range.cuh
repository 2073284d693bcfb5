// Shortcuts between 16-bit floats and the storage formats with scales, for kernels that convert whole caches and have
// some twenty instructions for each element. Every one gives the bits that storage_format.cuh gives.

#pragma once

#include "device/storage_format.cuh"

namespace limen {

__host__ __device__ constexpr bool is_half(StorageFormat format) {
  return format == StorageFormat::kF16 || format == StorageFormat::kBF16;
}

// Two 16-bit floats in a word.
template <StorageFormat kFormat>
using Pair = std::conditional_t<kFormat == StorageFormat::kF16, __half2, __nv_bfloat162>;
template <StorageFormat kFormat>
__device__ __forceinline__ Pair<kFormat> pair_of(uint32_t word) {
  return *reinterpret_cast<const Pair<kFormat>*>(&word);
}
template <typename P>
__device__ __forceinline__ uint32_t word_of(P pair) {
  return *reinterpret_cast<const uint32_t*>(&pair);
}

// Larger or smaller of two pairs. Beside a NaN the number is taken, unless the name says otherwise.
template <StorageFormat kFormat>
__device__ __forceinline__ uint32_t larger_pair(uint32_t a, uint32_t b) {
  return word_of(__hmax2(pair_of<kFormat>(a), pair_of<kFormat>(b)));
}
template <StorageFormat kFormat>
__device__ __forceinline__ uint32_t smaller_pair(uint32_t a, uint32_t b) {
  return word_of(__hmin2(pair_of<kFormat>(a), pair_of<kFormat>(b)));
}
template <StorageFormat kFormat>
__device__ __forceinline__ uint32_t larger_pair_or_nan(uint32_t a, uint32_t b) {
  return word_of(__hmax2_nan(pair_of<kFormat>(a), pair_of<kFormat>(b)));
}

// The range of a vector of 16-bit floats, two elements an instruction. `holds(j)` says whether this lane has elements
// in stored[j]; others are zero bits. Returns false for the whole warp, with no range, where an element is NaN (int4).
template <StorageFormat kSource, StorageFormat kTarget, int kEights, typename Holds>
__device__ __forceinline__ bool find_packed_range(const StoredEight<kSource> (&stored)[kEights], int lanes,
                                                  const Holds& holds, Range<kTarget>& range) {
  using T = std::conditional_t<kSource == StorageFormat::kF16, __half, __nv_bfloat16>;
  constexpr uint32_t kInfinities = kSource == StorageFormat::kF16 ? 0x7c007c00u : 0x7f807f80u;
  constexpr uint32_t kSigns = 0x80008000u;
  if constexpr (kTarget == StorageFormat::kInt4) {
    uint32_t low = kInfinities, high = kInfinities | kSigns;
#pragma unroll
    for (int j = 0; j < kEights; ++j) {
      if (!holds(j)) continue;
#pragma unroll
      for (int word = 0; word < 4; ++word) {
        low = smaller_pair<kSource>(low, stored[j].words[word]);
        high = larger_pair_or_nan<kSource>(high, stored[j].words[word]);
      }
    }
    low ^= kSigns;
    // The largest value and the smallest one negated make one pair, and so one exchange between lanes each step.
    uint32_t both = larger_pair_or_nan<kSource>(__byte_perm(high, low, 0x5410u), __byte_perm(high, low, 0x7632u));
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) {
      if (offset < lanes) both = larger_pair_or_nan<kSource>(both, __shfl_xor_sync(kFullWarp, both, offset));
    }
    const float2 values = unpack2<T>(both);
    range.high = values.x;
    range.low = -values.y;
    return !__any_sync(kFullWarp, isnan(values.x));
  } else {
    uint32_t high = 0;
#pragma unroll
    for (int j = 0; j < kEights; ++j) {
#pragma unroll
      for (int word = 0; word < 4; ++word) high = larger_pair<kSource>(high, stored[j].words[word] & ~kSigns);
    }
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) {
      if (offset < lanes) high = larger_pair<kSource>(high, __shfl_xor_sync(kFullWarp, high, offset));
    }
    const float2 values = unpack2<T>(high);
    range.high = fmaxf(values.x, values.y);
    return true;
  }
}

// Whether every element of a range rounds to 0 … 15 although `scales` are rounded themselves: rounding is monotonic, so
// the two ends tell.
__device__ __forceinline__ bool rounds_inside(const Range<StorageFormat::kInt4>& range, const Scales& scales) {
  const auto round = [&](float x) { return __fmaf_rn(__fsub_rn(x, scales.lowest), scales.inverse, kRounding); };
  return round(range.low) >= kRounding && round(range.high) <= kRounding + 15.0f;
}

// encode_eight for a vector that rounds_inside: nothing to clamp.
__device__ __forceinline__ StoredEight<StorageFormat::kInt4> encode_int4_inside(const float (&x)[8],
                                                                              const Scales& scales) {
  uint32_t bits[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    bits[i] = __float_as_uint(__fmaf_rn(__fsub_rn(x[i], scales.lowest), scales.inverse, kRounding));
  }
  // Each is the bits of kRounding plus a nibble. Shifted by four bits each and added up, they are the nibbles in their
  // places plus what eight times the bits of kRounding make.
  constexpr uint32_t kSumOfRoundings = 0x4b400000u * 0x11111111u;
#pragma unroll
  for (int step = 1; step < 8; step *= 2) {
#pragma unroll
    for (int i = 0; i < 8; i += 2 * step) bits[i] += bits[i + step] << (4 * step);
  }
  return {{bits[0] - kSumOfRoundings}};
}

// decode_eight; for int4 a nibble is taken where it stands, as a multiple of a power of 16 by which the scale is
// divided. Both are exact, as a scale is an f16 value.
template <StorageFormat kFormat>
__device__ __forceinline__ void decode_in_place(const StoredEight<kFormat>& stored, const Scales& scales,
                                                float (&x)[8]) {
  if constexpr (kFormat == StorageFormat::kInt4) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const uint32_t four = half == 0 ? stored.words[0] : stored.words[0] >> 16;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float nibble = __uint_as_float((four & (15u << (4 * i))) | 0x4b000000u) - 8388608.0f;  // 2^23
        x[4 * half + i] = __fmaf_rn(nibble, scales.scale * (1.0f / (1 << (4 * i))), scales.lowest);
      }
    }
  } else {
    decode_eight<kFormat>(stored, scales, x);
  }
}

// Scales that stand on four bytes: one access, for int4 too.
template <StorageFormat kFormat>
__device__ __forceinline__ Scales load_whole_scales(const void* pointer) {
  if constexpr (kFormat == StorageFormat::kInt4) {
    const float2 pair = unpack2<__half>(*static_cast<const uint32_t*>(pointer));
    return {pair.x, pair.y, 0.0f};
  } else {
    return load_scales<kFormat>(pointer);
  }
}
template <StorageFormat kFormat>
__device__ __forceinline__ void store_whole_scales(void* pointer, const Scales& scales) {
  if constexpr (kFormat == StorageFormat::kInt4) {
    *static_cast<uint32_t*>(pointer) = pack2<__half>(scales.scale, scales.lowest);
  } else {
    store_scales<kFormat>(pointer, scales);
  }
}

}  // namespace limen
