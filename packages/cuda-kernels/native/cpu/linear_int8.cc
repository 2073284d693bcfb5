// linear_int8 on the CPU: y = activation((x · Wᵀ) · scales + bias) + residual, with an 8-bit weight.
//
//   x         [..., K]  contiguous, f32 | f16 | bf16      weight  i8 [N, K]  contiguous     scales  f32 [N]
//   bias?     [N]       type of x                         residual? and y [..., N]  type of x, may be one tensor
//
// Same kernels as linear.cc; the weight is widened in registers, so a decode step reads a quarter of the bytes of f32.

#include "cpu/launch.h"

namespace limen::cpu {
namespace {

void launch_linear_int8(const OpCall& call) {
  const TensorView &x = call.tensor(0), &weight = call.tensor(1), &scales = call.tensor(2), &bias = call.tensor(3),
                   &residual = call.tensor(4), &y = call.tensor(5);
  require_float(call, "x", x);
  require_type(call, "weight", weight, DType::kI8);
  require_type(call, "scales", scales, DType::kF32);
  require_type(call, "bias", bias, x.dtype);
  require_type(call, "residual", residual, x.dtype);
  require_type(call, "y", y, x.dtype);
  if (y.size() == 0) return;

  LinearTask task;
  task.columns = weight.shape[0];
  task.depth = weight.shape[1];
  task.weight = weight.data;
  task.weight_type = DType::kI8;
  task.epilogue.scales = scales.as<const float>();
  task.epilogue.bias = bias.data;
  task.epilogue.residual = residual.data;
  task.epilogue.y = y.data;
  task.epilogue.row_stride = task.columns;
  task.epilogue.type = x.dtype;
  task.epilogue.activation = static_cast<int>(call.integer(0));
  run_linear(task, y.size() / task.columns, x.data, x.dtype, call.workspace);
}

size_t workspace_of_linear_int8(const OpCall& call) {
  const TensorView &x = call.tensor(0), &weight = call.tensor(1);
  return linear_workspace(x.rows(), weight.shape[1], x.dtype);
}

REGISTER_CPU_OP(linear_int8, launch_linear_int8, workspace_of_linear_int8);

}  // namespace
}  // namespace limen::cpu
