// image_to_bytes: y = trunc(clip((x + 1) / 2 · 255, 0, 255)): pixels in [−1, 1] to bytes.
//
//   x  [B, H, W, 3]  f32 | f16 | bf16  contiguous, any alignment (16 bytes is fast)
//   y  [B, H, W, 3]  u8
//
// Launch: device/elementwise.cuh. Bound by memory. Every step is one f32 operation in the order of the formula, because
// truncation turns a difference in the last bit into a different byte. NaN becomes 0.

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/convert.cuh"
#include "device/elementwise.cuh"

namespace limen {
namespace {

template <typename T>
struct PixelToByte {
  __device__ uint8_t operator()(T x) const {
    const float unit = __fmul_rn(__fadd_rn(to_float(x), 1.0f), 0.5f);
    const float level = fminf(fmaxf(__fmul_rn(unit, 255.0f), 0.0f), 255.0f);
    return static_cast<uint8_t>(__float2int_rz(level));
  }
};

void launch_image_to_bytes(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  const TensorView& y = call.tensor(1);
  dispatch_float(x.dtype, "image_to_bytes", [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch_map(static_cast<cudaStream_t>(call.stream), x.as<const T>(), y.as<uint8_t>(), x.size(), PixelToByte<T>{});
  });
}

}  // namespace

REGISTER_CUDA_OP(image_to_bytes, launch_image_to_bytes);

}  // namespace limen
