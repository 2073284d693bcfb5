// rms_norm: y = x / √(mean(x²) + eps) · weight over the last axis.
//
//   x       [..., C]  f32 | f16 | bf16  contiguous, any alignment (16 bytes is fast)
//   weight  [C]       dtype of x
//   y       [..., C]  dtype of x; may be x itself
//   castBeforeWeight  1: x/rms is rounded to the dtype before the product with weight (Llama); 0: one rounding (GLM)
//
// Launch: one row per warp (C ≤ 128 vectors of 16 bytes; four rows per block) or per block of 256 to 1024 threads;
// the row stays in registers up to 2048 vectors. Shared memory: one float per warp. f32 sums. Bound by memory: reads
// x and writes y once; the weight stays in L2.
// Source: https://arxiv.org/abs/1910.07467

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/launch.cuh"
#include "device/reduce.cuh"
#include "device/row_slices.cuh"

namespace limen {
namespace {

template <typename T, int kThreads, int kItems, int kWidth>
__global__ void __launch_bounds__(kThreads == 32 ? 128 : kThreads)
    rms_norm_kernel(const T* x, const T* weight, T* y, int64_t rows, int64_t columns, float eps,
                    bool cast_before_weight) {
  wait_for_upstream();
  let_downstream_start();
  const int64_t row = row_index<kThreads>();
  if (row >= rows) return;  // whole warps leave: the reductions below need full warps only
  RowSlice<T, kThreads, kItems, kWidth> slice(x + row * columns, columns);
  T* output = y + row * columns;

  float sum = 0.0f;
  slice.for_each([&](int64_t, const float(&values)[kWidth]) {
#pragma unroll
    for (int i = 0; i < kWidth; ++i) sum = fmaf(values[i], values[i], sum);
  });
  const float scale = rsqrtf(block_sum<kThreads>(sum) / static_cast<float>(columns) + eps);

  slice.for_each([&](int64_t column, const float(&values)[kWidth]) {
    float weights[kWidth];
    load_vector<kWidth>(weight + column, weights);
    float results[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      const float normalised = values[i] * scale;
      results[i] = (cast_before_weight ? round_to<T>(normalised) : normalised) * weights[i];
    }
    store_vector<kWidth>(output + column, results);
  });
}

void launch_rms_norm(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  const TensorView& weight = call.tensor(1);
  const TensorView& y = call.tensor(2);
  if (x.size() == 0) return;
  const int64_t columns = x.last(0);
  const int64_t rows = x.size() / columns;
  const cudaStream_t stream = static_cast<cudaStream_t>(call.stream);
  const float eps = static_cast<float>(call.number(0));
  const bool cast_before_weight = call.flag(1);
  const bool aligned = is_aligned16(x.data) && is_aligned16(weight.data) && is_aligned16(y.data);
  dispatch_float(x.dtype, "rms_norm", [&](auto tag) {
    using T = typename decltype(tag)::type;
    dispatch_row<T>(columns, aligned, [&](auto threads, auto items, auto width) {
      constexpr int kThreads = decltype(threads)::value;
      Launch launch;
      launch.grid = dim3(row_grid<kThreads>(rows));
      launch.block = row_block<kThreads>();
      launch.stream = stream;
      launch.overlap = true;
      launch_kernel(launch, rms_norm_kernel<T, kThreads, decltype(items)::value, decltype(width)::value>,
                    x.as<const T>(), weight.as<const T>(), y.as<T>(), rows, columns, eps, cast_before_weight);
    });
  });
}

}  // namespace

REGISTER_CUDA_OP(rms_norm, launch_rms_norm);

}  // namespace limen
