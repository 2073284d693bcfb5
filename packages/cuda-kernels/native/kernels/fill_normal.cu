// fillNormal: x[i] = mean + deviation · normal(seed, i).
//
//   x  any shape  f32 | f16 | bf16  contiguous, written
//
// One element per thread and step of a grid-stride loop. The position is hashed to 32 bits (two rounds of
// multiply-xorshift) and turned into a normal by the Box–Muller transform. Positions beyond 2^32 repeat: the numbers are
// for weights of benchmarks, not for statistics.

#include "core/cuda_check.h"
#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/convert.cuh"

namespace limen {
namespace {

__host__ __device__ inline uint32_t mix(uint32_t bits) {
  bits = (bits ^ (bits >> 16)) * 0x7feb352du;
  bits = (bits ^ (bits >> 15)) * 0x846ca68bu;
  return bits ^ (bits >> 16);
}

template <typename T>
__global__ void fill_normal_kernel(T* __restrict__ x, int64_t count, float mean, float deviation, uint32_t key) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    const uint32_t first = mix(static_cast<uint32_t>(i) ^ key);
    const uint32_t second = mix(first + 0x9e3779b9u);
    const float u1 = (static_cast<float>(first >> 8) + 0.5f) * 0x1p-24f;
    const float u2 = static_cast<float>(second >> 8) * 0x1p-24f;
    x[i] = from_float<T>(mean + deviation * sqrtf(-2.0f * logf(u1)) * cospif(2.0f * u2));
  }
}

void launch_fill_normal(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  const int64_t count = x.size();
  if (count == 0) return;
  constexpr int kThreads = 256;
  const int64_t blocks = (count + kThreads - 1) / kThreads;
  const auto grid = static_cast<unsigned>(blocks < 4096 ? blocks : 4096);
  dispatch_float(x.dtype, "fill_normal", [&](auto tag) {
    using T = typename decltype(tag)::type;
    fill_normal_kernel<T><<<grid, kThreads, 0, static_cast<cudaStream_t>(call.stream)>>>(
        x.as<T>(), count, static_cast<float>(call.number(1)), static_cast<float>(call.number(0)),
        mix(static_cast<uint32_t>(call.integer(2))));
  });
  LIMEN_CHECK_LAUNCH(fill_normal_kernel);
}

REGISTER_CUDA_OP(fill_normal, launch_fill_normal);

}  // namespace
}  // namespace limen
