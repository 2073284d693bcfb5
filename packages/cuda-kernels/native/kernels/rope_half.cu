// rope_half: rotary position embedding in split halves (Llama): channel j turns with channel j + R/2.
//
//   x          [B, T, H, D]  f32 | f16 | bf16  dense along D, any other strides (16-byte multiples are fast)
//   positions  [B, T]        i32, contiguous
//   y          [B, T, H, D]  dtype of x, dense along D; may be x itself
//   base, rotaryDimensions R (0: all of D); channels from R on are copied
//
// Launch: one token per block of 256 threads; a thread turns a vector of pairs, 16 bytes from each half. Shared memory:
// R/2 cosines and sines (2 KiB). Angles in f32 with exact range reduction. Bound by memory.
// Source: https://arxiv.org/abs/2104.09864

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/launch.cuh"
#include "device/rotary.cuh"
#include "device/row_slices.cuh"

namespace limen {
namespace {

// y and x may be the same memory: each pair, and each copied channel, is read and written by one thread.
template <typename T, int kWidth>
__global__ void __launch_bounds__(kRotaryThreads)
    rope_half_kernel(const T* x, const int32_t* positions, T* y, const RotaryGeometry geometry, bool in_place,
                     const __grid_constant__ RotaryFrequencies frequencies) {
  __shared__ float cosines[kMaxRotaryPairs];
  __shared__ float sines[kMaxRotaryPairs];
  wait_for_upstream();
  let_downstream_start();
  const int64_t batch = blockIdx.x / geometry.tokens;
  const int64_t token = blockIdx.x - batch * geometry.tokens;
  fill_rotation<T>(frequencies, positions[blockIdx.x], cosines, sines);

  const T* source = x + batch * geometry.x_batch + token * geometry.x_token;
  T* target = y + batch * geometry.y_batch + token * geometry.y_token;
  const int half = frequencies.pairs;
  const int vectors = half / kWidth;
  for (int item = threadIdx.x; item < geometry.heads * vectors; item += kRotaryThreads) {
    const int head = item / vectors;
    const int pair = (item - head * vectors) * kWidth;
    const T* low_source = source + head * geometry.x_head + pair;
    T* low_target = target + head * geometry.y_head + pair;
    float low[kWidth];
    float high[kWidth];
    load_vector<kWidth>(low_source, low);
    load_vector<kWidth>(low_source + half, high);
    float turned_low[kWidth];
    float turned_high[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      const float cosine = cosines[pair + i];
      const float sine = sines[pair + i];
      turned_low[i] = low[i] * cosine - high[i] * sine;
      turned_high[i] = high[i] * cosine + low[i] * sine;
    }
    store_vector<kWidth>(low_target, turned_low);
    store_vector<kWidth>(low_target + half, turned_high);
  }
  if (in_place) return;
  const int rest = static_cast<int>(geometry.channels) - 2 * half;
  for (int item = threadIdx.x; item < geometry.heads * rest; item += kRotaryThreads) {
    const int head = item / rest;
    const int channel = 2 * half + item - head * rest;
    target[head * geometry.y_head + channel] = source[head * geometry.x_head + channel];
  }
}

void launch_rope_half(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  const TensorView& positions = call.tensor(1);
  const TensorView& y = call.tensor(2);
  if (x.size() == 0) return;
  const int64_t rotary = call.integer(1) == 0 ? x.shape[3] : call.integer(1);
  const RotaryFrequencies& frequencies = rotary_frequencies("rope_half", call.number(0), rotary);
  const RotaryGeometry geometry(x, y);
  Launch launch;
  launch.grid = dim3(static_cast<unsigned>(x.shape[0] * x.shape[1]));
  launch.block = dim3(kRotaryThreads);
  launch.stream = static_cast<cudaStream_t>(call.stream);
  launch.overlap = true;
  const bool in_place = x.data == y.data && geometry.same_strides();
  dispatch_float(x.dtype, "rope_half", [&](auto tag) {
    using T = typename decltype(tag)::type;
    constexpr int kWidth = kVectorWidth<T>;
    if (is_aligned16(x.data) && is_aligned16(y.data) && geometry.is_multiple_of(kWidth) &&
        frequencies.pairs % kWidth == 0) {
      launch_kernel(launch, rope_half_kernel<T, kWidth>, x.as<const T>(), positions.as<const int32_t>(), y.as<T>(),
                    geometry, in_place, frequencies);
    } else {
      launch_kernel(launch, rope_half_kernel<T, 1>, x.as<const T>(), positions.as<const int32_t>(), y.as<T>(), geometry,
                    in_place, frequencies);
    }
  });
}

}  // namespace

REGISTER_CUDA_OP(rope_half, launch_rope_half);

}  // namespace limen
