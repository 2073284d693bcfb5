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
// The norm is folded into the product (linear_stream.cuh): its row factor multiplies the finished sum. Ways:
// norm_linear.cuh. No workspace.

#include "core/dtype_dispatch.h"
#include "kernels/norm_linear.cuh"

namespace limen {
namespace {

enum Operand { kX, kNormWeight, kWeight, kBias, kY };

void launch_norm_linear_op(const OpCall& call) {
  const NormLinearOperands operands = {call.tensor(kX),    call.tensor(kNormWeight), call.tensor(kWeight),
                                       call.tensor(kBias), call.tensor(kY),          nullptr};
  dispatch_float(call.tensor(kX).dtype, "normLinear", [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch_norm_linear<T, T>(call, operands);
  });
}

REGISTER_CUDA_OP(norm_linear, launch_norm_linear_op);

}  // namespace
}  // namespace limen
