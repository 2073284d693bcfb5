// rope_interleaved: rotary position embedding of neighbours (GLM): channel 2i turns with channel 2i + 1.
//
//   x          [B, T, H, D]  f32 | f16 | bf16  dense along D, any other strides (16-byte multiples are fast)
//   positions  [B, T]        i32, contiguous
//   y          [B, T, H, D]  dtype of x, dense along D; may be x itself
//   base, rotaryDimensions R (0: all of D); channels from R on are copied
//
// Launch: one token per block of 256 threads; a thread turns the pairs of one 16-byte vector. Shared memory: R/2
// cosines and sines (2 KiB). Angles in f32 with exact range reduction. Bound by memory.
// Source: https://arxiv.org/abs/2104.09864

#include "core/cuda_check.h"
#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/rotary.cuh"
#include "device/vector_io.cuh"

namespace limen {
namespace {

// y and x may be the same memory: each pair, and each copied channel, is read and written by one thread.
// kWidth is the number of channels per step: a whole vector, or a single pair moved as two elements.
template <typename T, int kWidth>
__global__ void __launch_bounds__(kRotaryThreads)
    rope_interleaved_kernel(const T* x, const int32_t* positions, T* y, const RotaryGeometry geometry, bool in_place,
                            const __grid_constant__ RotaryFrequencies frequencies) {
  __shared__ float cosines[kMaxRotaryPairs];
  __shared__ float sines[kMaxRotaryPairs];
  const int64_t batch = blockIdx.x / geometry.tokens;
  const int64_t token = blockIdx.x - batch * geometry.tokens;
  fill_rotation<T>(frequencies, positions[blockIdx.x], cosines, sines);

  const T* source = x + batch * geometry.x_batch + token * geometry.x_token;
  T* target = y + batch * geometry.y_batch + token * geometry.y_token;
  const int rotary = 2 * frequencies.pairs;
  const int vectors = rotary / kWidth;
  for (int item = threadIdx.x; item < geometry.heads * vectors; item += kRotaryThreads) {
    const int head = item / vectors;
    const int channel = (item - head * vectors) * kWidth;
    const T* from = source + head * geometry.x_head + channel;
    T* to = target + head * geometry.y_head + channel;
    float values[kWidth];
    if constexpr (kWidth == 2) {
      values[0] = to_float(from[0]);
      values[1] = to_float(from[1]);
    } else {
      load16(from, values);
    }
    float turned[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; i += 2) {
      const float cosine = cosines[(channel + i) / 2];
      const float sine = sines[(channel + i) / 2];
      turned[i] = values[i] * cosine - values[i + 1] * sine;
      turned[i + 1] = values[i + 1] * cosine + values[i] * sine;
    }
    if constexpr (kWidth == 2) {
      to[0] = from_float<T>(turned[0]);
      to[1] = from_float<T>(turned[1]);
    } else {
      store16(to, turned);
    }
  }
  if (in_place) return;
  const int rest = static_cast<int>(geometry.channels) - rotary;
  for (int item = threadIdx.x; item < geometry.heads * rest; item += kRotaryThreads) {
    const int head = item / rest;
    const int channel = rotary + item - head * rest;
    target[head * geometry.y_head + channel] = source[head * geometry.x_head + channel];
  }
}

void launch_rope_interleaved(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  const TensorView& positions = call.tensor(1);
  const TensorView& y = call.tensor(2);
  if (x.size() == 0) return;
  const int64_t rotary = call.integer(1) == 0 ? x.shape[3] : call.integer(1);
  const RotaryFrequencies& frequencies = rotary_frequencies("rope_interleaved", call.number(0), rotary);
  const RotaryGeometry geometry(x, y);
  const unsigned grid = static_cast<unsigned>(x.shape[0] * x.shape[1]);
  const bool in_place = x.data == y.data && geometry.same_strides();
  const cudaStream_t stream = static_cast<cudaStream_t>(call.stream);
  dispatch_float(x.dtype, "rope_interleaved", [&](auto tag) {
    using T = typename decltype(tag)::type;
    constexpr int kWidth = kVectorWidth<T>;
    if (is_aligned16(x.data) && is_aligned16(y.data) && geometry.is_multiple_of(kWidth) && rotary % kWidth == 0) {
      rope_interleaved_kernel<T, kWidth><<<grid, kRotaryThreads, 0, stream>>>(
          x.as<const T>(), positions.as<const int32_t>(), y.as<T>(), geometry, in_place, frequencies);
    } else {
      rope_interleaved_kernel<T, 2><<<grid, kRotaryThreads, 0, stream>>>(
          x.as<const T>(), positions.as<const int32_t>(), y.as<T>(), geometry, in_place, frequencies);
    }
    LIMEN_CHECK_LAUNCH(rope_interleaved_kernel);
  });
}

}  // namespace

REGISTER_CUDA_OP(rope_interleaved, launch_rope_interleaved);

}  // namespace limen
