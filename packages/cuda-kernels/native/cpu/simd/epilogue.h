// From sums to the output: scale, bias, activation, residual, rounding.

#pragma once

#include "cpu/simd/panel.h"
#include "cpu/simd/vector_math.h"

namespace limen::cpu::LIMEN_SIMD_TARGET {

template <typename T>
inline void finish_row_typed(const Epilogue& e, const float* sums, int64_t row, int64_t column, int64_t count) {
  const T* bias = static_cast<const T*>(e.bias);
  const int64_t offset = row * e.row_stride + column;
  const T* residual = e.residual ? static_cast<const T*>(e.residual) + offset : nullptr;
  T* y = static_cast<T*>(e.y) + offset;
  for (int64_t i = 0; i < count; i += kLanes) {
    const int64_t left = count - i;
    Vec value = load_some(sums + i, left);
    if (e.scales) value = value * load_some(e.scales + column + i, left);
    if (bias) value = value + load_some(bias + column + i, left);
    value = activate(value, e.activation);
    if (residual) value = value + load_some(residual + i, left);
    store_some(y + i, value, left);
  }
}

// Writes columns [column, column + count) of one output row.
inline void finish_row(const Epilogue& e, const float* sums, int64_t row, int64_t column, int64_t count) {
  with_float_type(e.type, [&](auto tag) {
    finish_row_typed<typename decltype(tag)::type>(e, sums, row, column, count);
  });
}

}  // namespace limen::cpu::LIMEN_SIMD_TARGET
