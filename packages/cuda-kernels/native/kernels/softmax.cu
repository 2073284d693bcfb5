// softmax: y = exp(scale·x − max) / Σ exp(scale·x − max) over the last axis.
//
//   x  [..., C]  f32 | f16 | bf16  contiguous, any alignment (16 bytes is fast)
//   y  [..., C]  dtype of x; may be x itself
//
// Launch: one row per warp (C ≤ 128 vectors of 16 bytes; four rows per block) or per block of 256 to 1024 threads;
// the row stays in registers up to 2048 vectors and is read three times beyond that. Shared memory: one float per
// warp. f32 sums. Entries of −∞ become 0; a row of nothing else has no distribution and becomes NaN. Bound by memory.

#include "core/cuda_check.h"
#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/reduce.cuh"
#include "device/row_slices.cuh"

namespace limen {
namespace {

template <typename T, int kThreads, int kItems, int kWidth>
__global__ void __launch_bounds__(kThreads == 32 ? 128 : kThreads)
    softmax_kernel(const T* x, T* y, int64_t rows, int64_t columns, float scale) {
  const int64_t row = row_index<kThreads>();
  if (row >= rows) return;  // whole warps leave: the reductions below need full warps only
  RowSlice<T, kThreads, kItems, kWidth> slice(x + row * columns, columns);
  T* output = y + row * columns;

  // Pass 1: maximum of the scaled row.
  float maximum = -INFINITY;
  slice.for_each([&](int64_t, const float(&values)[kWidth]) {
#pragma unroll
    for (int i = 0; i < kWidth; ++i) maximum = fmaxf(maximum, scale * values[i]);
  });
  maximum = block_max<kThreads>(maximum);

  // Pass 2: exponentials, kept in place of the values when the row is in registers, and their sum.
  float sum = 0.0f;
  slice.for_each([&](int64_t, float(&values)[kWidth]) {
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      values[i] = expf(fmaf(scale, values[i], -maximum));
      sum += values[i];
    }
  });
  const float inverse = 1.0f / block_sum<kThreads>(sum);

  // Pass 3: normalise.
  slice.for_each([&](int64_t column, const float(&values)[kWidth]) {
    float results[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      results[i] = (kItems == 0 ? expf(fmaf(scale, values[i], -maximum)) : values[i]) * inverse;
    }
    store_vector<kWidth>(output + column, results);
  });
}

void launch_softmax(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  const TensorView& y = call.tensor(1);
  if (x.size() == 0) return;
  const int64_t columns = x.last(0);
  const int64_t rows = x.size() / columns;
  const cudaStream_t stream = static_cast<cudaStream_t>(call.stream);
  const float scale = static_cast<float>(call.number(0));
  const bool aligned = is_aligned16(x.data) && is_aligned16(y.data);
  dispatch_float(x.dtype, "softmax", [&](auto tag) {
    using T = typename decltype(tag)::type;
    dispatch_row<T>(columns, aligned, [&](auto threads, auto items, auto width) {
      constexpr int kThreads = decltype(threads)::value;
      softmax_kernel<T, kThreads, decltype(items)::value, decltype(width)::value>
          <<<row_grid<kThreads>(rows), row_block<kThreads>(), 0, stream>>>(x.as<const T>(), y.as<T>(), rows, columns,
                                                                           scale);
      LIMEN_CHECK_LAUNCH(softmax_kernel);
    });
  });
}

}  // namespace

REGISTER_CUDA_OP(softmax, launch_softmax);

}  // namespace limen
