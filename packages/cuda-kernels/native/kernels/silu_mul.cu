// silu_mul: y[..., f] = silu(x[..., f]) · x[..., F + f]: the gated activation of a feed-forward block whose gate and
// up projections come out of one matrix product.
//
//   x  [..., 2F]  f32 | f16 | bf16  contiguous, any alignment (16 bytes is fast)
//   y  [..., F]   dtype of x
//
// Launch: one vector of 16 bytes of y per thread, 256 threads, grid-stride. f32 arithmetic, one rounding. Bound by
// memory.
// Source: https://arxiv.org/abs/2002.05202

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/activation.cuh"
#include "device/elementwise.cuh"
#include "device/launch.cuh"
#include "device/row_slices.cuh"

namespace limen {
namespace {

constexpr int kThreads = 256;

template <typename T, int kWidth, typename Index>
__global__ void __launch_bounds__(kThreads)
    silu_mul_kernel(const T* __restrict__ x, T* __restrict__ y, Index items, Index items_per_row) {
  wait_for_upstream();
  let_downstream_start();
  const Index stride = item_stride<Index>();
  for (Index item = first_item<Index>(); item < items; item += stride) {
    const Index row = item / items_per_row;
    // Row r of x starts 2F·r elements in: its gate half lies F·r further on than row r of y.
    const T* gate_pointer = x + (static_cast<int64_t>(item) + static_cast<int64_t>(row) * items_per_row) * kWidth;
    float gate[kWidth];
    float up[kWidth];
    load_vector<kWidth>(gate_pointer, gate);
    load_vector<kWidth>(gate_pointer + static_cast<int64_t>(items_per_row) * kWidth, up);
    float results[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) results[i] = silu<T>(gate[i]) * up[i];
    store_vector<kWidth>(y + static_cast<int64_t>(item) * kWidth, results);
  }
}

template <typename T, int kWidth>
void launch_vectors(const OpCall& call, int64_t features) {
  const TensorView& y = call.tensor(1);
  const int64_t items = y.size() / kWidth;
  Launch launch;
  launch.grid = dim3(grid_for(items, kThreads));
  launch.block = dim3(kThreads);
  launch.stream = static_cast<cudaStream_t>(call.stream);
  launch.overlap = true;
  const T* x = call.tensor(0).as<const T>();
  if (fits_index32(items)) {
    launch_kernel(launch, silu_mul_kernel<T, kWidth, uint32_t>, x, y.as<T>(), static_cast<uint32_t>(items),
                  static_cast<uint32_t>(features / kWidth));
  } else {
    launch_kernel(launch, silu_mul_kernel<T, kWidth, uint64_t>, x, y.as<T>(), static_cast<uint64_t>(items),
                  static_cast<uint64_t>(features / kWidth));
  }
}

void launch_silu_mul(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  const TensorView& y = call.tensor(1);
  if (y.size() == 0) return;
  const int64_t features = y.last(0);
  dispatch_float(x.dtype, "silu_mul", [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (is_aligned16(x.data) && is_aligned16(y.data) && is_vector_multiple<T>(features)) {
      launch_vectors<T, kVectorWidth<T>>(call, features);
    } else {
      launch_vectors<T, 1>(call, features);
    }
  });
}

}  // namespace

REGISTER_CUDA_OP(silu_mul, launch_silu_mul);

}  // namespace limen
