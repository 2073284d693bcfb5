// What a projection (linear in every weight format, convolution) does with a finished sum:
// y = activation(scale · sum + bias) + residual, stored as T. A residual may be y itself: each element is read and
// written by the same thread.

#pragma once

#include <cstdint>

#include "device/activation.cuh"
#include "device/convert.cuh"

namespace limen {

// The order is that of the `activation` choice in the op declarations.
enum class Activation : int { kNone = 0, kGelu = 1, kSilu = 2 };

template <typename T>
__device__ __forceinline__ float activate(Activation activation, float value) {
  switch (activation) {
    case Activation::kGelu: return gelu_exact(value);
    case Activation::kSilu: return silu<T>(value);
    default: return value;
  }
}

// What a projection multiplies, and what may be folded in before it.
template <typename T, typename W>
struct ProjectionInput {
  const T* x;        // [rows, length]
  const W* weight;   // [columns, length], or [2 · columns, length] when gated
  int64_t length;
  const T* norm = nullptr;  // [length]: x is RMS-normed with this weight; else null
  float epsilon = 0.0f;
  bool gated = false;           // y = silu(x · gateᵀ) · (x · upᵀ); the rows of gate stand before those of up
  bool constant_weight = false;  // nobody who may still be running writes the weight
};

template <typename T>
struct Projection {
  T* y;                 // [rows, columns]
  const T* bias;        // [columns] or null
  const T* residual;    // [rows, columns] or null
  const float* scales;  // [columns] or null
  int64_t rows;
  int64_t columns;
  Activation activation;
  bool pairs;  // two neighbouring elements may be accessed as one word: even columns, aligned pointers

  __device__ __forceinline__ float finish(float sum, int64_t column) const {
    if (scales) sum *= scales[column];
    if (bias) sum += to_float(bias[column]);
    return activate<T>(activation, sum);
  }
  __device__ __forceinline__ void store(int64_t row, int64_t column, float sum) const {
    const int64_t index = row * columns + column;
    float value = finish(sum, column);
    if (residual) value += to_float(residual[index]);
    y[index] = from_float<T>(value);
  }
  // The gate's sum and the up's sum of one column; scales and bias have one entry for each.
  __device__ __forceinline__ void store_gated(int64_t row, int64_t column, float gate, float up) const {
    if (scales) gate *= scales[column], up *= scales[column + columns];
    if (bias) gate += to_float(bias[column]), up += to_float(bias[column + columns]);
    y[row * columns + column] = from_float<T>(silu<T>(gate) * up);
  }
  // Columns `column` (even) and `column + 1`; stores nothing outside the matrix.
  __device__ __forceinline__ void store_pair(int64_t row, int64_t column, float first, float second) const {
    if (row >= rows || column >= columns) return;
    if constexpr (sizeof(T) == 2) {
      if (pairs) {
        const int64_t index = row * columns + column;
        first = finish(first, column);
        second = finish(second, column + 1);
        if (residual) {
          const float2 added = unpack2<T>(*reinterpret_cast<const uint32_t*>(residual + index));
          first += added.x;
          second += added.y;
        }
        *reinterpret_cast<uint32_t*>(y + index) = pack2<T>(first, second);
        return;
      }
    }
    store(row, column, first);
    if (column + 1 < columns) store(row, column + 1, second);
  }
};

template <typename T>
Projection<T> make_projection(void* y, const void* bias, const void* residual, const float* scales, int64_t rows,
                              int64_t columns, Activation activation) {
  const auto word_aligned = [](const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % 4 == 0; };
  return {static_cast<T*>(y),
          static_cast<const T*>(bias),
          static_cast<const T*>(residual),
          scales,
          rows,
          columns,
          activation,
          columns % 2 == 0 && word_aligned(y) && word_aligned(residual)};
}

}  // namespace limen
