// What norm_linear and norm_linear_int8 launch. Up to 32 rows of 16-bit values run on tensor cores, up to eight of f32 (or
// unaligned ones) on plain arithmetic units; more rows are taken in turns, and read the weight as often.

#pragma once

#include <algorithm>
#include <type_traits>

#include "core/op_registry.h"
#include "kernels/linear_matvec.cuh"
#include "kernels/linear_stream.cuh"

namespace limen {

struct NormLinearOperands {
  const TensorView &x, &norm_weight, &weight, &bias, &y;
  const float* scales;  // one for each row of an int8 weight; else null
};

// W: the type of the weight. Attributes: epsilon, gated, constantWeight.
template <typename T, typename W>
void launch_norm_linear(const OpCall& call, const NormLinearOperands& operands) {
  const auto stream = static_cast<cudaStream_t>(call.stream);
  const int64_t stored = operands.weight.shape[0], length = operands.weight.shape[1];
  const bool gated = call.flag(1);
  const int64_t columns = gated ? stored / 2 : stored;
  int64_t rows = 1;
  for (int axis = 0; axis + 1 < operands.x.rank; ++axis) rows *= operands.x.shape[axis];
  if (rows == 0 || columns == 0) return;
  ProjectionInput<T, W> in = {operands.x.as<T>(), operands.weight.as<W>(), length, operands.norm_weight.as<T>(),
                              static_cast<float>(call.number(0)), gated, call.flag(2)};
  const bool aligned = is_vector_multiple<T>(length) && is_vector_multiple<W>(length) && is_aligned16(in.x) &&
                       is_aligned16(in.weight) && is_aligned16(in.norm);
  const bool tensor_cores = sizeof(T) == 2 && aligned;
  const int64_t most = tensor_cores ? kStreamRowsMost : 8;
  for (int64_t done = 0; done < rows; done += most) {
    const auto out = make_projection<T>(operands.y.as<T>() + done * columns, operands.bias.data, nullptr, operands.scales,
                                        std::min(most, rows - done), columns, Activation::kNone);
    in.x = operands.x.as<T>() + done * length;
    if constexpr (sizeof(T) == 2) {
      if (tensor_cores) {
        launch_stream<T, W, true>(in, out, stream);
        continue;
      }
    } else {
      if (aligned) {
        launch_matvec<T, W, true, true, 8>(in, out, stream);
        continue;
      }
    }
    launch_matvec<T, W, false, true, 8>(in, out, stream);
  }
}

}  // namespace limen
