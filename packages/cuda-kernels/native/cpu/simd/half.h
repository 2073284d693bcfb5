// 16-bit floats, one value at a time. Rounding is to nearest, ties to even, as in hardware.

#pragma once

#include <cstdint>
#include <cstring>

#ifndef LIMEN_SIMD_TARGET
#define LIMEN_SIMD_TARGET plain
#endif

namespace limen::cpu::LIMEN_SIMD_TARGET {

struct F16 {
  uint16_t bits;
};
struct BF16 {
  uint16_t bits;
};

inline uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}
inline float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

inline float to_float(float value) { return value; }
inline float to_float(int8_t value) { return static_cast<float>(value); }
inline float to_float(BF16 value) { return float_of(static_cast<uint32_t>(value.bits) << 16); }
inline float to_float(F16 value) {
  const uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000u) << 16;
  const uint32_t rest = static_cast<uint32_t>(value.bits & 0x7fffu) << 13;
  if (rest >= 0x0f800000u) return float_of(sign | 0x70000000u | rest);  // infinity and NaN
  return float_of(sign | bits_of(float_of(rest) * 0x1p112f));           // the product also repairs subnormals
}

inline void from_float(float value, float* target) { *target = value; }
inline void from_float(float value, BF16* target) {
  const uint32_t bits = bits_of(value);
  const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  target->bits = static_cast<uint16_t>(is_nan ? bits >> 16 | 0x40u : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
inline void from_float(float value, F16* target) {
  const uint32_t bits = bits_of(value);
  const uint32_t sign = bits >> 16 & 0x8000u;
  const uint32_t size = bits & 0x7fffffffu;
  uint32_t result;
  if (size > 0x7f800000u) {
    result = 0x7e00u;
  } else if (size >= 0x477ff000u) {  // rounds to infinity
    result = 0x7c00u;
  } else if (size < 0x38800000u) {  // subnormal: an ulp of [0.5, 1) is the smallest half
    result = bits_of(float_of(size) + 0.5f) - bits_of(0.5f);
  } else {
    result = (size + 0xfffu + (size >> 13 & 1u) - 0x38000000u) >> 13;
  }
  target->bits = static_cast<uint16_t>(sign | result);
}

}  // namespace limen::cpu::LIMEN_SIMD_TARGET
