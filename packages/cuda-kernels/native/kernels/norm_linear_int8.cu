// norm_linear with one signed byte per weight.
//
// operand     shape           type            layout
// x           [M, K]          f32, f16, bf16  contiguous; M is the product of all leading sizes
// normWeight  [K]             as x            contiguous
// weight      [N, K], [2F, K] i8              contiguous; gated: the rows of the gate, then those of the up
// scales      [N], [2F]       f32             contiguous; one per row of weight
// bias        [N], [2F]       as x            optional
// y           [M, N], [M, F]  as x            contiguous
// attributes: epsilon, gated, constantWeight
//
// Ways as in norm_linear.cu. No workspace.

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "kernels/linear_matvec.cuh"
#include "kernels/linear_stream.cuh"

namespace limen {
namespace {

enum Operand { kX, kNormWeight, kWeight, kScales, kBias, kY };

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
  ProjectionInput<T, int8_t> in = {x_view.as<T>(), weight_view.as<int8_t>(), length, call.tensor(kNormWeight).as<T>(),
                                   static_cast<float>(call.number(0)), gated, call.flag(2)};
  const bool aligned = length % 16 == 0 && is_aligned16(in.x) && is_aligned16(in.weight) && is_aligned16(in.norm);
  const bool tensor_cores = sizeof(T) == 2 && aligned;
  const int64_t most = tensor_cores ? kStreamRowsMost : 8;
  for (int64_t done = 0; done < rows; done += most) {
    const auto out = make_projection<T>(call.tensor(kY).as<T>() + done * columns, call.tensor(kBias).data, nullptr,
                                        call.tensor(kScales).as<float>(), std::min(most, rows - done), columns,
                                        Activation::kNone);
    in.x = x_view.as<T>() + done * length;
    if constexpr (sizeof(T) == 2) {
      if (tensor_cores) {
        launch_stream<T, int8_t, true>(in, out, stream);
        continue;
      }
    } else {
      if (aligned) {
        launch_matvec<T, int8_t, true, true, 8>(in, out, stream);
        continue;
      }
    }
    launch_matvec<T, int8_t, false, true, 8>(in, out, stream);
  }
}

void launch_norm_linear_int8(const OpCall& call) {
  dispatch_float(call.tensor(kX).dtype, "normLinearInt8",
                 [&](auto tag) { launch_typed<typename decltype(tag)::type>(call); });
}

REGISTER_CUDA_OP(norm_linear_int8, launch_norm_linear_int8);

}  // namespace
}  // namespace limen
