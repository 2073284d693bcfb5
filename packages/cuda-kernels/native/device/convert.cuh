// One spelling for "value to float" and "float to value", for every element type a kernel may meet.
// Arithmetic in Limen is done in f32; these functions stand at its edges.

#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>

namespace limen {

__device__ __forceinline__ float to_float(float value) { return value; }
__device__ __forceinline__ float to_float(__half value) { return __half2float(value); }
__device__ __forceinline__ float to_float(__nv_bfloat16 value) { return __bfloat162float(value); }
__device__ __forceinline__ float to_float(__nv_fp8_e4m3 value) { return static_cast<float>(value); }
__device__ __forceinline__ float to_float(int32_t value) { return static_cast<float>(value); }
__device__ __forceinline__ float to_float(int8_t value) { return static_cast<float>(value); }
__device__ __forceinline__ float to_float(uint8_t value) { return static_cast<float>(value); }

// Floating types round to nearest even (e4m3 saturates at ±448); integers truncate and saturate, NaN becomes 0.
template <typename T>
__device__ __forceinline__ T from_float(float value);
template <>
__device__ __forceinline__ float from_float<float>(float value) {
  return value;
}
template <>
__device__ __forceinline__ __half from_float<__half>(float value) {
  return __float2half_rn(value);
}
template <>
__device__ __forceinline__ __nv_bfloat16 from_float<__nv_bfloat16>(float value) {
  return __float2bfloat16_rn(value);
}
template <>
__device__ __forceinline__ __nv_fp8_e4m3 from_float<__nv_fp8_e4m3>(float value) {
  return __nv_fp8_e4m3(value);
}
template <>
__device__ __forceinline__ int32_t from_float<int32_t>(float value) {
  return __float2int_rz(value);  // the instruction saturates and turns NaN into 0
}
template <>
__device__ __forceinline__ int8_t from_float<int8_t>(float value) {
  return static_cast<int8_t>(max(-128, min(127, __float2int_rz(value))));
}
template <>
__device__ __forceinline__ uint8_t from_float<uint8_t>(float value) {
  return static_cast<uint8_t>(max(0, min(255, __float2int_rz(value))));
}

// The value that storing as T and loading again would give: for formulas that round in the middle.
template <typename T>
__device__ __forceinline__ float round_to(float value) {
  return to_float(from_float<T>(value));
}

// Two 16-bit values in one register word → two floats, low half first.
template <typename T>
__device__ __forceinline__ float2 unpack2(uint32_t word);
template <>
__device__ __forceinline__ float2 unpack2<__half>(uint32_t word) {
  return __half22float2(*reinterpret_cast<const __half2*>(&word));
}
template <>
__device__ __forceinline__ float2 unpack2<__nv_bfloat16>(uint32_t word) {
  // A bf16 is the upper half of a float: a shift and a mask are cheaper than two conversions.
  return make_float2(__uint_as_float(word << 16), __uint_as_float(word & 0xffff0000u));
}

// Two floats → two 16-bit values in one register word, low half first.
template <typename T>
__device__ __forceinline__ uint32_t pack2(float low, float high);
template <>
__device__ __forceinline__ uint32_t pack2<__half>(float low, float high) {
  const __half2 pair = __floats2half2_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}
template <>
__device__ __forceinline__ uint32_t pack2<__nv_bfloat16>(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

}  // namespace limen
