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
// Ways: norm_linear.cuh. No workspace.

#include "core/dtype_dispatch.h"
#include "kernels/norm_linear.cuh"

namespace limen {
namespace {

enum Operand { kX, kNormWeight, kWeight, kScales, kBias, kY };

void launch_norm_linear_int8(const OpCall& call) {
  const NormLinearOperands operands = {call.tensor(kX),    call.tensor(kNormWeight), call.tensor(kWeight),
                                       call.tensor(kBias), call.tensor(kY),          call.tensor(kScales).as<float>()};
  dispatch_float(call.tensor(kX).dtype, "normLinearInt8",
                 [&](auto tag) { launch_norm_linear<typename decltype(tag)::type, int8_t>(call, operands); });
}

REGISTER_CUDA_OP(norm_linear_int8, launch_norm_linear_int8);

}  // namespace
}  // namespace limen
