// Elementwise kernels: y[i] = map(x[i]) and y[i] = map(a[i], b[i mod period]). An op brings a functor; this file brings
// 16-byte accesses, the ragged tail, the unaligned fallback and sizes beyond 2^31.
//
// Launch: 256 threads, one pack per thread and step, grid-stride. No shared memory. y may be x (or a) itself: each
// element is read and written by the same thread, and no pointer is declared restrict.

#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/cuda_check.h"
#include "device/grid.cuh"

namespace limen {

// Consecutive elements moved as one access of up to 16 bytes (larger packs are moved as several).
template <typename T, int kCount>
struct alignas(kCount * sizeof(T) < 16 ? kCount * sizeof(T) : 16) Pack {
  T values[kCount];

  static bool fits(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % alignof(Pack) == 0; }
};

inline constexpr int kElementwiseThreads = 256;

// Elements per pack: 16 bytes of the wider type, twice that when the other is narrower and its accesses would be short.
template <typename X, typename Y>
inline constexpr int kPackWidth = 16 / static_cast<int>(sizeof(X) < sizeof(Y) ? sizeof(Y) : sizeof(X)) *
                                  (sizeof(X) == sizeof(Y) ? 1 : 2);

template <int kWidth, typename X, typename Y, typename Map>
__global__ void __launch_bounds__(kElementwiseThreads)
    map_kernel(const X* x, Y* y, int64_t packs, int64_t size, Map map) {
  const int64_t first = first_item<int64_t>();
  const int64_t stride = item_stride<int64_t>();
  for (int64_t pack = first; pack < packs; pack += stride) {
    const Pack<X, kWidth> input = reinterpret_cast<const Pack<X, kWidth>*>(x)[pack];
    Pack<Y, kWidth> output;
#pragma unroll
    for (int i = 0; i < kWidth; ++i) output.values[i] = map(input.values[i]);
    reinterpret_cast<Pack<Y, kWidth>*>(y)[pack] = output;
  }
  // The tail is shorter than a pack: the first threads of the grid take one element each.
  const int64_t tail = packs * kWidth + first;
  if (tail < size) y[tail] = map(x[tail]);
}

template <typename X, typename Y, typename Map>
void launch_map(cudaStream_t stream, const X* x, Y* y, int64_t size, Map map) {
  if (size == 0) return;
  constexpr int kWidth = kPackWidth<X, Y>;
  if (size >= kWidth && Pack<X, kWidth>::fits(x) && Pack<Y, kWidth>::fits(y)) {
    const int64_t packs = size / kWidth;
    map_kernel<kWidth, X, Y, Map>
        <<<grid_for(packs, kElementwiseThreads), kElementwiseThreads, 0, stream>>>(x, y, packs, size, map);
  } else {
    map_kernel<1, X, Y, Map>
        <<<grid_for(size, kElementwiseThreads), kElementwiseThreads, 0, stream>>>(x, y, size, size, map);
  }
  LIMEN_CHECK_LAUNCH(map_kernel);
}

// How b runs beside a: element by element, repeating as a block of `period` elements, or one value for all.
enum class Operand { kSame, kRepeated, kScalar };

// `packs` and `period` are counted in packs of kWidth elements (the period of a scalar is not used).
template <int kWidth, Operand kOperand, typename Index, typename T, typename Map>
__global__ void __launch_bounds__(kElementwiseThreads)
    zip_kernel(const T* a, const T* b, T* y, Index packs, Index period, int64_t size, Map map) {
  const T scalar = kOperand == Operand::kScalar ? b[0] : T{};
  const Index stride = item_stride<Index>();
  for (Index pack = first_item<Index>(); pack < packs; pack += stride) {
    const Pack<T, kWidth> left = reinterpret_cast<const Pack<T, kWidth>*>(a)[pack];
    Pack<T, kWidth> right;
    if constexpr (kOperand == Operand::kScalar) {
#pragma unroll
      for (int i = 0; i < kWidth; ++i) right.values[i] = scalar;
    } else {
      right = reinterpret_cast<const Pack<T, kWidth>*>(b)[kOperand == Operand::kSame ? pack : pack % period];
    }
    Pack<T, kWidth> output;
#pragma unroll
    for (int i = 0; i < kWidth; ++i) output.values[i] = map(left.values[i], right.values[i]);
    reinterpret_cast<Pack<T, kWidth>*>(y)[pack] = output;
  }
  const int64_t tail = static_cast<int64_t>(packs) * kWidth + first_item<int64_t>();
  if (tail < size) {
    if constexpr (kOperand == Operand::kScalar) {
      y[tail] = map(a[tail], scalar);
    } else {  // only kSame has a tail: a repeated operand takes the pack path when its period is whole packs
      y[tail] = map(a[tail], b[tail]);
    }
  }
}

template <int kWidth, Operand kOperand, typename T, typename Map>
void launch_zip_packs(cudaStream_t stream, const T* a, const T* b, T* y, int64_t size, int64_t b_size, Map map) {
  const int64_t packs = size / kWidth;
  const unsigned grid = grid_for(packs, kElementwiseThreads);
  if (fits_index32(packs)) {
    zip_kernel<kWidth, kOperand, uint32_t, T, Map><<<grid, kElementwiseThreads, 0, stream>>>(
        a, b, y, static_cast<uint32_t>(packs), static_cast<uint32_t>(b_size / kWidth), size, map);
  } else {
    zip_kernel<kWidth, kOperand, uint64_t, T, Map><<<grid, kElementwiseThreads, 0, stream>>>(
        a, b, y, static_cast<uint64_t>(packs), static_cast<uint64_t>(b_size / kWidth), size, map);
  }
  LIMEN_CHECK_LAUNCH(zip_kernel);
}

// `size` must be a multiple of `b_size`: b's shape is a suffix of a's.
template <typename T, typename Map>
void launch_zip(cudaStream_t stream, const T* a, const T* b, T* y, int64_t size, int64_t b_size, Map map) {
  if (size == 0) return;
  constexpr int kWidth = 16 / static_cast<int>(sizeof(T));
  using Wide = Pack<T, kWidth>;
  const bool wide = size >= kWidth && Wide::fits(a) && Wide::fits(y);
  if (b_size == size) {
    if (wide && Wide::fits(b)) return launch_zip_packs<kWidth, Operand::kSame>(stream, a, b, y, size, b_size, map);
    return launch_zip_packs<1, Operand::kSame>(stream, a, b, y, size, b_size, map);
  }
  if (b_size == 1) {
    if (wide) return launch_zip_packs<kWidth, Operand::kScalar>(stream, a, b, y, size, b_size, map);
    return launch_zip_packs<1, Operand::kScalar>(stream, a, b, y, size, b_size, map);
  }
  if (wide && Wide::fits(b) && b_size % kWidth == 0) {
    return launch_zip_packs<kWidth, Operand::kRepeated>(stream, a, b, y, size, b_size, map);
  }
  launch_zip_packs<1, Operand::kRepeated>(stream, a, b, y, size, b_size, map);
}

}  // namespace limen
