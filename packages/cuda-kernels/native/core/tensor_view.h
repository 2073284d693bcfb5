// What a launcher sees of a tensor: a pointer, a type, sizes and strides. It owns nothing.

#pragma once

#include <cstdint>

#include "dtype.h"

namespace limen {

constexpr int kMaxRank = 8;

struct TensorView {
  void* data = nullptr;  // first element, offset already applied; null for an optional tensor that was not given
  DType dtype = DType::kF32;
  int rank = 0;
  int64_t shape[kMaxRank] = {};
  int64_t stride[kMaxRank] = {};  // in elements

  bool present() const { return data != nullptr; }

  int64_t size() const {
    int64_t product = 1;
    for (int axis = 0; axis < rank; ++axis) product *= shape[axis];
    return product;
  }

  // Sizes and strides counted from the last axis: last(0) is the innermost.
  int64_t last(int from_end) const { return shape[rank - 1 - from_end]; }
  int64_t last_stride(int from_end) const { return stride[rank - 1 - from_end]; }

  // Product of all sizes but the last: the rows of a matrix view of a contiguous tensor.
  int64_t rows() const { return rank == 0 ? 1 : size() / (last(0) == 0 ? 1 : last(0)); }

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

// Whether every run along the last axis starts on a multiple of `bytes`.
inline bool rows_stand_on(const TensorView& view, int64_t bytes) {
  if (reinterpret_cast<uintptr_t>(view.data) % static_cast<uintptr_t>(bytes) != 0) return false;
  const int64_t size = static_cast<int64_t>(size_of(view.dtype));
  for (int axis = 0; axis + 1 < view.rank; ++axis) {
    if (view.shape[axis] > 1 && view.stride[axis] * size % bytes != 0) return false;
  }
  return true;
}

}  // namespace limen
