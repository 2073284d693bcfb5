// y = (rmsNorm(x) · weightᵀ + bias), or silu(gate) · up of its two halves, for the few rows of a decode step.
//
// operand     shape           type            layout
// x           [M, K]          f32, f16, bf16  contiguous; M is the product of all leading sizes
// normWeight  [K]             as x            contiguous
// weight      [N, K], [2F, K] as x            contiguous; gated: the rows of the gate, then those of the up
// bias        [N], [2F]       as x            optional
// y           [M, N], [M, F]  as x            contiguous
// attributes: epsilon, gated, constantWeight (the weight may be read before earlier kernels have ended)
//
// The norm is folded into the product (linear_stream.cuh): its row factor multiplies the finished sum. Up to 32 rows of
// 16-bit values run on tensor cores, up to eight of f32 (or unaligned ones) on plain arithmetic units; more rows are
// taken in turns, and read the weight as often. No workspace.

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "kernels/linear_matvec.cuh"
#include "kernels/linear_stream.cuh"

namespace limen {
namespace {

enum Operand { kX, kNormWeight, kWeight, kBias, kY };

template <typename T>
void launch_typed(const OpCall& call) {
  const TensorView &x_view = call.tensor(kX), &weight_view = call.tensor(kWeight);
  const auto stream = static_cast<cudaStream_t>(call.stream);
  const int64_t stored = weight_view.shape[0], length = weight_view.shape[1];
  const bool gated = call.flag(1);
  const int64_t columns = gated ? stored / 2 : stored;
  int64_t rows = 1;
  for (int axis = 0; axis + 1 < x_view.rank; ++axis) rows *= x_view.shape[axis];
  if (rows == 0 || columns == 0) return;
  ProjectionInput<T, T> in = {x_view.as<T>(), weight_view.as<T>(), length, call.tensor(kNormWeight).as<T>(),
                              static_cast<float>(call.number(0)), gated, call.flag(2)};
  const bool aligned = is_vector_multiple<T>(length) && is_aligned16(in.x) && is_aligned16(in.weight) && is_aligned16(in.norm);
  const bool tensor_cores = sizeof(T) == 2 && aligned;
  const int64_t most = tensor_cores ? kStreamRowsMost : 8;
  for (int64_t done = 0; done < rows; done += most) {
    const auto out = make_projection<T>(call.tensor(kY).as<T>() + done * columns, call.tensor(kBias).data, nullptr, nullptr,
                                        std::min(most, rows - done), columns, Activation::kNone);
    in.x = x_view.as<T>() + done * length;
    if constexpr (sizeof(T) == 2) {
      if (tensor_cores) {
        launch_stream<T, T, true>(in, out, stream);
        continue;
      }
    } else {
      if (aligned) {
        launch_matvec<T, T, true, true, 8>(in, out, stream);
        continue;
      }
    }
    launch_matvec<T, T, false, true, 8>(in, out, stream);
  }
}

void launch_norm_linear(const OpCall& call) {
  dispatch_float(call.tensor(kX).dtype, "normLinear", [&](auto tag) { launch_typed<typename decltype(tag)::type>(call); });
}

REGISTER_CUDA_OP(norm_linear, launch_norm_linear);

}  // namespace
}  // namespace limen
