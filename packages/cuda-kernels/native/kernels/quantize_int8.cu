// One signed byte per weight and one scale per row: scales[n] = max|weight[n]| / 127,
// values[n, k] = weight[n, k] / scales[n] rounded half to even. A row of zeros gets scale 0 and zeros.
//
// operand  shape   type            layout
// weight   [N, K]  f32, f16, bf16  contiguous
// values   [N, K]  i8              contiguous
// scales   [N]     f32             contiguous
//
// Geometry: block of 256 threads ↔ one row, read twice (the second time from L2). Runs once per loaded weight, so
// it is kept plain.

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/convert.cuh"
#include "device/launch.cuh"
#include "device/reduce.cuh"

namespace limen {
namespace {

constexpr int kThreads = 256;

template <typename T>
__global__ void __launch_bounds__(kThreads)
    quantize_int8_kernel(const T* weight, int8_t* values, float* scales, int64_t length) {
  wait_for_upstream();
  const int64_t row = blockIdx.x;
  const T* const source = weight + row * length;
  int8_t* const target = values + row * length;
  float largest = 0.0f;
  for (int64_t k = threadIdx.x; k < length; k += kThreads) largest = fmaxf(largest, fabsf(to_float(source[k])));
  largest = block_max<kThreads>(largest);
  const float scale = largest / 127.0f;
  if (threadIdx.x == 0) scales[row] = scale;
  for (int64_t k = threadIdx.x; k < length; k += kThreads) {
    const float value = scale > 0.0f ? rintf(to_float(source[k]) / scale) : 0.0f;
    target[k] = static_cast<int8_t>(fminf(fmaxf(value, -127.0f), 127.0f));
  }
}

void launch_quantize_int8(const OpCall& call) {
  const TensorView& weight = call.tensor(0);
  const int64_t rows = weight.shape[0];
  if (rows == 0) return;
  if (rows > 0x7fffffff) throw OpError("SHAPE_MISMATCH", "quantizeInt8: weight has too many rows: expected N < 2^31.");
  Launch launch;
  launch.grid = dim3(static_cast<unsigned>(rows));
  launch.block = dim3(kThreads);
  launch.stream = static_cast<cudaStream_t>(call.stream);
  launch.overlap = true;
  dispatch_float(weight.dtype, "quantizeInt8", [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch_kernel(launch, quantize_int8_kernel<T>, weight.as<T>(), call.tensor(1).as<int8_t>(),
                  call.tensor(2).as<float>(), weight.shape[1]);
  });
}

REGISTER_CUDA_OP(quantize_int8, launch_quantize_int8);

}  // namespace
}  // namespace limen
