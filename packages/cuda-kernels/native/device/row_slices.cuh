// Row kernels (norms, softmax): one row belongs to one warp or one block, and each thread keeps its slice of the row in
// registers, so that memory is read once however many passes the formula makes.
//
// The slice is kItems vectors of kWidth elements per thread, vector i of thread t being vector t + i·kThreads of the
// row. Rows too long, too ragged or too crooked for that take kItems = 0: the kernel walks the row again for each pass.

#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "device/convert.cuh"
#include "device/vector_io.cuh"

namespace limen {

template <int kValue>
using Constant = std::integral_constant<int, kValue>;

template <int kWidth, typename T>
__device__ __forceinline__ void load_vector(const T* pointer, float (&values)[kWidth]) {
  if constexpr (kWidth == 1) {
    values[0] = to_float(*pointer);
  } else {
    load16(pointer, values);
  }
}

template <int kWidth, typename T>
__device__ __forceinline__ void store_vector(T* pointer, const float (&values)[kWidth]) {
  if constexpr (kWidth == 1) {
    *pointer = from_float<T>(values[0]);
  } else {
    store16(pointer, values);
  }
}

// The row of this warp (kThreads = 32: four rows per block, stacked along threadIdx.y) or of this block.
template <int kThreads>
__device__ __forceinline__ int64_t row_index() {
  if constexpr (kThreads == 32) return static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  return blockIdx.x;
}

// Geometry of a row kernel, as the launcher needs it.
template <int kThreads>
dim3 row_block() {
  return kThreads == 32 ? dim3(32, 4) : dim3(kThreads);
}
template <int kThreads>
unsigned row_grid(int64_t rows) {
  return static_cast<unsigned>(kThreads == 32 ? (rows + 3) / 4 : rows);
}

// Calls body(threads, items, width), three Constants, with the smallest slice that holds a row of `columns` elements.
// `aligned`: every pointer of the kernel that is walked along the row stands on 16 bytes.
template <typename T, typename Body>
void dispatch_row(int64_t columns, bool aligned, Body&& body) {
  constexpr int kWidth = kVectorWidth<T>;
  if (!aligned || columns % kWidth != 0) {
    if (columns <= 256) return body(Constant<32>{}, Constant<0>{}, Constant<1>{});
    return body(Constant<256>{}, Constant<0>{}, Constant<1>{});
  }
  const int64_t vectors = columns / kWidth;
  if (vectors <= 32) return body(Constant<32>{}, Constant<1>{}, Constant<kWidth>{});
  if (vectors <= 128) return body(Constant<32>{}, Constant<4>{}, Constant<kWidth>{});
  if (vectors <= 256) return body(Constant<256>{}, Constant<1>{}, Constant<kWidth>{});
  if (vectors <= 512) return body(Constant<256>{}, Constant<2>{}, Constant<kWidth>{});
  if (vectors <= 1024) return body(Constant<256>{}, Constant<4>{}, Constant<kWidth>{});
  if (vectors <= 2048) return body(Constant<1024>{}, Constant<2>{}, Constant<kWidth>{});
  return body(Constant<512>{}, Constant<0>{}, Constant<kWidth>{});
}

// One thread's slice of a row. for_each(body) calls body(column, values) for each vector the thread owns, from
// registers or, with kItems = 0, from memory again.
template <typename T, int kThreads, int kItems, int kWidth>
struct RowSlice {
  const T* row;
  int64_t columns;
  float values[kItems == 0 ? 1 : kItems][kWidth];

  __device__ __forceinline__ RowSlice(const T* row_start, int64_t row_columns) : row(row_start), columns(row_columns) {
#pragma unroll
    for (int item = 0; item < kItems; ++item) {
      const int64_t column = column_of(item);
      if (column < columns) load_vector<kWidth>(row + column, values[item]);
    }
  }

  __device__ __forceinline__ static int64_t column_of(int item) {
    return static_cast<int64_t>(threadIdx.x + item * kThreads) * kWidth;
  }

  template <typename Body>
  __device__ __forceinline__ void for_each(Body&& body) {
    if constexpr (kItems == 0) {
      for (int64_t column = column_of(0); column < columns; column += kThreads * kWidth) {
        load_vector<kWidth>(row + column, values[0]);
        body(column, values[0]);
      }
    } else {
#pragma unroll
      for (int item = 0; item < kItems; ++item) {
        const int64_t column = column_of(item);
        if (column < columns) body(column, values[item]);
      }
    }
  }
};

}  // namespace limen
