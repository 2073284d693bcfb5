// Sixteen bytes at a time between memory and float registers: the widest access a thread can make, and what
// memory-bound kernels need to reach the bandwidth of the device.

#pragma once

#include <cstdint>

#include "device/convert.cuh"

namespace limen {

// Elements of T in one 16-byte access: 4 × f32, 8 × f16 or bf16, 16 × i8.
template <typename T>
inline constexpr int kVectorWidth = 16 / static_cast<int>(sizeof(T));

// Host and device: vector paths are legal only when every base pointer and every row pitch passes this.
__host__ __device__ __forceinline__ bool is_aligned16(const void* pointer) {
  return (reinterpret_cast<uintptr_t>(pointer) & 15u) == 0;
}
template <typename T>
__host__ __device__ __forceinline__ bool is_vector_multiple(int64_t elements) {
  return elements % kVectorWidth<T> == 0;
}

// Sixteen bytes as four registers → floats.
template <typename T>
__device__ __forceinline__ void unpack16(const uint4& raw, float (&values)[kVectorWidth<T>]) {
  if constexpr (sizeof(T) == 4) {
    values[0] = __uint_as_float(raw.x);
    values[1] = __uint_as_float(raw.y);
    values[2] = __uint_as_float(raw.z);
    values[3] = __uint_as_float(raw.w);
  } else if constexpr (sizeof(T) == 2) {
    const uint32_t words[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float2 pair = unpack2<T>(words[i]);
      values[2 * i] = pair.x;
      values[2 * i + 1] = pair.y;
    }
  } else {
    const uint32_t words[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      const uint8_t byte = static_cast<uint8_t>(words[i / 4] >> (8 * (i % 4)));
      values[i] = to_float(*reinterpret_cast<const T*>(&byte));
    }
  }
}

template <typename T>
__device__ __forceinline__ uint4 pack16(const float (&values)[kVectorWidth<T>]) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 2, "pack16 writes f32, f16 or bf16");
  if constexpr (sizeof(T) == 4) {
    return make_uint4(__float_as_uint(values[0]), __float_as_uint(values[1]), __float_as_uint(values[2]),
                      __float_as_uint(values[3]));
  } else {
    return make_uint4(pack2<T>(values[0], values[1]), pack2<T>(values[2], values[3]),
                      pack2<T>(values[4], values[5]), pack2<T>(values[6], values[7]));
  }
}

// Raw 16-byte accesses; the pointer must be 16-byte aligned.
__device__ __forceinline__ uint4 load16_raw(const void* pointer) {
  return *static_cast<const uint4*>(pointer);
}
__device__ __forceinline__ void store16_raw(void* pointer, const uint4& raw) {
  *static_cast<uint4*>(pointer) = raw;
}
// For data read exactly once (weights): leaves no trace in L1, so that activations stay there. Only for memory that
// nothing writes while the kernel runs. Volatile, so that the loads stay where they are written: all of them in
// flight before the first use.
__device__ __forceinline__ uint4 load16_raw_once(const void* pointer) {
  uint4 raw;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(raw.x), "=r"(raw.y), "=r"(raw.z), "=r"(raw.w)
               : "l"(pointer));
  return raw;
}
// The same without the promise that nobody writes: for caches that an earlier kernel of the same step appends to.
__device__ __forceinline__ uint4 load16_raw_past_l1(const void* pointer) {
  uint4 raw;
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(raw.x), "=r"(raw.y), "=r"(raw.z), "=r"(raw.w)
               : "l"(pointer)
               : "memory");
  return raw;
}

// Aligned vector of T ↔ floats.
template <typename T>
__device__ __forceinline__ void load16(const T* pointer, float (&values)[kVectorWidth<T>]) {
  unpack16<T>(load16_raw(pointer), values);
}
template <typename T>
__device__ __forceinline__ void store16(T* pointer, const float (&values)[kVectorWidth<T>]) {
  store16_raw(pointer, pack16<T>(values));
}

}  // namespace limen
