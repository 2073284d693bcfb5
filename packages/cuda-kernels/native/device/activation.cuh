// Activation functions on f32 values. T is the type the result will be rounded to: for 16-bit types the fast
// exponential and division of the hardware (relative error below 2⁻²⁰) vanish in that rounding.

#pragma once

namespace limen {

template <typename T>
__device__ __forceinline__ float sigmoid(float x) {
  if constexpr (sizeof(T) == 4) {
    return 1.0f / (1.0f + expf(-x));
  } else {
    return __fdividef(1.0f, 1.0f + __expf(-x));
  }
}

template <typename T>
__device__ __forceinline__ float silu(float x) {
  return x * sigmoid<T>(x);
}

// x · Φ(x) with the exact normal distribution function.
__device__ __forceinline__ float gelu_exact(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f)); }

// ½x(1 + tanh(u)) = x · sigmoid(2u) with u = √(2/π)(x + 0.044715x³).
template <typename T>
__device__ __forceinline__ float gelu_tanh(float x) {
  return x * sigmoid<T>(1.5957691216057308f * (x + 0.044715f * x * x * x));
}

}  // namespace limen
