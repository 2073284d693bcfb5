// Vectors of keys and values as fp8, int8 or int4 with scales, in plain loops. The definition, to whose bits these loops
// keep: packages/kv-cache/src/storage-arithmetic.ts. The same for CUDA: device/storage_format.cuh.

#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/tensor_view.h"
#include "cpu/simd/half.h"

namespace limen::cpu {

// 1 / scale; 0 for a scale below 2^-100, whose vector counts as zero.
inline float inverse_of_scale(float scale) { return scale < 0x1p-100f ? 0.0f : 1.0f / scale; }

// Nearest f16 value, saturating: an infinite scale would turn the whole vector into NaN.
inline plain::F16 finite_half(float value) {
  plain::F16 half;
  plain::from_float(std::clamp(value, -65504.0f, 65504.0f), &half);
  return half;
}

inline uint8_t e4m3_of(float value) {
  const uint8_t sign = std::signbit(value) ? 0x80 : 0;
  const float magnitude = std::fabs(value);
  if (std::isnan(value)) return 0x7f;
  if (magnitude >= 464.0f) return sign | 0x7e;
  int exponent = -6;  // of the smallest normal number
  if (magnitude >= 0x1p-6f) exponent = std::ilogb(magnitude);
  // 0..16 steps: below 8 the number is subnormal, 16 carries into the next exponent.
  const int steps = static_cast<int>(std::nearbyint(std::ldexp(magnitude, 3 - exponent)));
  const int bits = exponent == -6 && steps < 8 ? steps : ((exponent + 7) << 3) + (steps - 8);
  return sign | static_cast<uint8_t>(std::min(bits, 0x7e));
}

// The value of every e4m3 number.
inline const std::array<float, 256>& e4m3_values() {
  static const std::array<float, 256> values = [] {
    std::array<float, 256> table = {};
    for (int bits = 0; bits < 256; ++bits) {
      const int exponent = bits >> 3 & 15, fraction = bits & 7;
      const float size = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -9)
                                       : std::ldexp(static_cast<float>(8 + fraction), exponent - 10);
      const float value = exponent == 15 && fraction == 7 ? std::numeric_limits<float>::quiet_NaN() : size;
      table[bits] = bits & 0x80 ? -value : value;
    }
    return table;
  }();
  return values;
}

// One vector → stored elements and scales. `type` is that of the elements: f8e4m3, i8 or u8 (int4).
inline void encode_vector(const float* x, int64_t count, DType type, void* elements, void* scales) {
  if (type == DType::kU8) {
    float low = std::numeric_limits<float>::infinity(), high = -low;
    for (int64_t i = 0; i < count; ++i) low = std::min(low, x[i]), high = std::max(high, x[i]);
    plain::F16* const pair = static_cast<plain::F16*>(scales);
    pair[0] = finite_half((high - low) / 15.0f);
    pair[1] = finite_half(low);
    const float lowest = plain::to_float(pair[1]), inverse = inverse_of_scale(plain::to_float(pair[0]));
    const auto nibble = [&](float value) {
      return static_cast<int>(std::nearbyint(std::clamp(static_cast<double>(value - lowest) * inverse, 0.0, 15.0)));
    };
    uint8_t* const bytes = static_cast<uint8_t*>(elements);
    for (int64_t i = 0; i < count / 2; ++i) {
      bytes[i] = static_cast<uint8_t>(nibble(x[2 * i]) | nibble(x[2 * i + 1]) << 4);
    }
    return;
  }
  float largest = 0.0f;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(x[i]));
  const float scale = largest / (type == DType::kF8E4M3 ? 448.0f : 127.0f), inverse = inverse_of_scale(scale);
  *static_cast<float*>(scales) = inverse == 0.0f ? 0.0f : scale;
  if (type == DType::kF8E4M3) {
    uint8_t* const bytes = static_cast<uint8_t*>(elements);
    for (int64_t i = 0; i < count; ++i) bytes[i] = e4m3_of(x[i] * inverse);
  } else {
    int8_t* const bytes = static_cast<int8_t*>(elements);
    for (int64_t i = 0; i < count; ++i) {
      const double steps = std::nearbyint(static_cast<double>(x[i]) * inverse);
      bytes[i] = static_cast<int8_t>(std::clamp(steps, -127.0, 127.0));
    }
  }
}

// Stored elements and scales → `count` floats.
inline void decode_vector(DType type, const void* elements, const void* scales, float* x, int64_t count) {
  if (type == DType::kU8) {
    const plain::F16* const pair = static_cast<const plain::F16*>(scales);
    const float scale = plain::to_float(pair[0]), lowest = plain::to_float(pair[1]);
    const uint8_t* const bytes = static_cast<const uint8_t*>(elements);
    for (int64_t i = 0; i < count / 2; ++i) {
      x[2 * i] = static_cast<float>(bytes[i] & 15) * scale + lowest;
      x[2 * i + 1] = static_cast<float>(bytes[i] >> 4) * scale + lowest;
    }
    return;
  }
  const float scale = *static_cast<const float*>(scales);
  if (type == DType::kF8E4M3) {
    const std::array<float, 256>& values = e4m3_values();
    const uint8_t* const bytes = static_cast<const uint8_t*>(elements);
    for (int64_t i = 0; i < count; ++i) x[i] = values[bytes[i]] * scale;
  } else {
    const int8_t* const bytes = static_cast<const int8_t*>(elements);
    for (int64_t i = 0; i < count; ++i) x[i] = static_cast<float>(bytes[i]) * scale;
  }
}

// Where vector (page, slot, head) of a [G, P, K, X] tensor starts.
inline char* stored_row(const TensorView& pages, int64_t page, int64_t slot, int64_t head) {
  const int64_t at = page * pages.stride[0] + slot * pages.stride[1] + head * pages.stride[2];
  return pages.as<char>() + at * static_cast<int64_t>(size_of(pages.dtype));
}

}  // namespace limen::cpu
