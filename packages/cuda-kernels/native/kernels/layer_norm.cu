// layer_norm: y = (x − mean) / √(variance + eps) · weight + bias over the last axis.
//
//   x       [..., C]  f32 | f16 | bf16  contiguous, any alignment (16 bytes is fast)
//   weight  [C]       dtype of x
//   bias    [C]       dtype of x
//   y       [..., C]  dtype of x; may be x itself
//
// Launch: one row per warp (C ≤ 128 vectors of 16 bytes; four rows per block) or per block of 256 to 1024 threads;
// the row stays in registers up to 2048 vectors. Shared memory: one float per warp. f32 sums of distances from the
// row's first element, and a second pass for the variance, so a mean far from zero costs no accuracy. Bound by memory.
// Source: https://arxiv.org/abs/1607.06450

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/launch.cuh"
#include "device/reduce.cuh"
#include "device/row_slices.cuh"

namespace limen {
namespace {

template <typename T, int kThreads, int kItems, int kWidth>
__global__ void __launch_bounds__(kThreads == 32 ? 128 : kThreads)
    layer_norm_kernel(const T* x, const T* weight, const T* bias, T* y, int64_t rows, int64_t columns, float eps) {
  wait_for_upstream();
  let_downstream_start();
  const int64_t row = row_index<kThreads>();
  if (row >= rows) return;  // whole warps leave: the reductions below need full warps only
  RowSlice<T, kThreads, kItems, kWidth> slice(x + row * columns, columns);
  T* output = y + row * columns;
  const float count = static_cast<float>(columns);
  const float origin = to_float(x[row * columns]);  // read here: y may be x, and pass 3 overwrites it

  // Pass 1: mean, as a distance from the origin. A row in registers is kept as distances from here on.
  float sum = 0.0f;
  slice.for_each([&](int64_t, float(&values)[kWidth]) {
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      values[i] -= origin;
      sum += values[i];
    }
  });
  const float later_origin = kItems == 0 ? origin : 0.0f;
  const float mean = block_sum<kThreads>(sum) / count;

  // Pass 2: variance around that mean.
  float squares = 0.0f;
  slice.for_each([&](int64_t, const float(&values)[kWidth]) {
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      const float distance = values[i] - later_origin - mean;
      squares = fmaf(distance, distance, squares);
    }
  });
  const float scale = rsqrtf(block_sum<kThreads>(squares) / count + eps);

  // Pass 3: normalise.
  slice.for_each([&](int64_t column, const float(&values)[kWidth]) {
    float weights[kWidth];
    float biases[kWidth];
    load_vector<kWidth>(weight + column, weights);
    load_vector<kWidth>(bias + column, biases);
    float results[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      results[i] = fmaf((values[i] - later_origin - mean) * scale, weights[i], biases[i]);
    }
    store_vector<kWidth>(output + column, results);
  });
}

void launch_layer_norm(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  const TensorView& weight = call.tensor(1);
  const TensorView& bias = call.tensor(2);
  const TensorView& y = call.tensor(3);
  if (x.size() == 0) return;
  const int64_t columns = x.last(0);
  const int64_t rows = x.size() / columns;
  const cudaStream_t stream = static_cast<cudaStream_t>(call.stream);
  const float eps = static_cast<float>(call.number(0));
  const bool aligned =
      is_aligned16(x.data) && is_aligned16(weight.data) && is_aligned16(bias.data) && is_aligned16(y.data);
  dispatch_float(x.dtype, "layer_norm", [&](auto tag) {
    using T = typename decltype(tag)::type;
    dispatch_row<T>(columns, aligned, [&](auto threads, auto items, auto width) {
      constexpr int kThreads = decltype(threads)::value;
      Launch launch;
      launch.grid = dim3(row_grid<kThreads>(rows));
      launch.block = row_block<kThreads>();
      launch.stream = stream;
      launch.overlap = true;
      launch_kernel(launch, layer_norm_kernel<T, kThreads, decltype(items)::value, decltype(width)::value>,
                    x.as<const T>(), weight.as<const T>(), bias.as<const T>(), y.as<T>(), rows, columns, eps);
    });
  });
}

}  // namespace

REGISTER_CUDA_OP(layer_norm, launch_layer_norm);

}  // namespace limen
