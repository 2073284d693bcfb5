// What norm_linear and norm_linear_int8 share: taking rows in turns, and choosing between tensor cores and plain
// arithmetic.

#pragma once

#include <algorithm>

#include "core/op_registry.h"
#include "kernels/linear_matvec.cuh"
#include "kernels/linear_stream.cuh"

namespace limen {

// Rows that plain arithmetic takes at once.
inline constexpr int64_t kNormMatvecRows = 8;

// W: T or int8_t. `scales` has one factor for each row of an int8 weight; null otherwise.
template <typename T, typename W>
void launch_norm_linear_typed(const OpCall& call, const TensorView& x, const TensorView& norm_weight,
                              const TensorView& weight, const TensorView& bias, const float* scales,
                              const TensorView& y) {
  const auto stream = static_cast<cudaStream_t>(call.stream);
  const int64_t stored = weight.shape[0], length = weight.shape[1];
  const bool gated = call.flag(1);
  const int64_t columns = gated ? stored / 2 : stored;
  int64_t rows = 1;
  for (int axis = 0; axis + 1 < x.rank; ++axis) rows *= x.shape[axis];
  if (rows == 0 || columns == 0) return;
  ProjectionInput<T, W> in = {x.as<T>(), weight.as<W>(), length, norm_weight.as<T>(),
                              static_cast<float>(call.number(0)), gated, call.flag(2)};
  const bool aligned = length % kVectorWidth<W> == 0 && is_aligned16(in.x) && is_aligned16(in.weight) &&
                       is_aligned16(in.norm);
  const int64_t most = sizeof(T) == 2 && aligned ? kStreamRowsMost : kNormMatvecRows;
  for (int64_t done = 0; done < rows; done += most) {
    const auto out = make_projection<T>(y.as<T>() + done * columns, bias.data, nullptr, scales,
                                        std::min(most, rows - done), columns, Activation::kNone);
    in.x = x.as<T>() + done * length;
    if (!aligned) {
      launch_matvec<T, W, false, true, kNormMatvecRows>(in, out, stream);
    } else if constexpr (sizeof(T) == 2) {
      launch_stream<T, W, true>(in, out, stream);
    } else {
      launch_matvec<T, W, true, true, kNormMatvecRows>(in, out, stream);
    }
  }
}

}  // namespace limen
