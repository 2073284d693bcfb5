// linear on the CPU: y = activation(x · Wᵀ + bias) + residual, summed in f32.
//
//   x         [..., K]  contiguous, f32 | f16 | bf16      weight  [N, K]  contiguous, type of x
//   bias?     [N]       type of x                         residual? and y [..., N]  type of x, may be one tensor
//
// Few rows (decoding): memory-bound; the weight is read once, as stored, columns are split over the threads.
// Many rows: blocks of rows × panels of columns; each work item packs its panel and keeps it in the cache.

#include "cpu/launch.h"

namespace limen::cpu {
namespace {

constexpr int64_t kRowBlock = 240;  // rows per work item: packing a panel then costs a few percent

// Rows whose distance is a multiple of 2 KiB fall into the same few sets of the first-level cache.
bool rows_collide(int64_t depth) { return depth * sizeof(float) % 2048 == 0; }

bool needs_copy(int64_t rows, int64_t depth, DType x_type) {
  return x_type != DType::kF32 || (rows > kernels().dot_row_limit && rows_collide(depth));
}

int64_t copy_stride(int64_t depth) { return ceil_divide(depth, 16) * 16 + 16; }

void launch_linear(const OpCall& call) {
  const TensorView &x = call.tensor(0), &weight = call.tensor(1), &bias = call.tensor(2), &residual = call.tensor(3),
                   &y = call.tensor(4);
  require_float(call, "x", x);
  require_type(call, "weight", weight, x.dtype);
  require_type(call, "bias", bias, x.dtype);
  require_type(call, "residual", residual, x.dtype);
  require_type(call, "y", y, x.dtype);
  if (y.size() == 0) return;

  LinearTask task;
  task.columns = weight.shape[0];
  task.depth = weight.shape[1];
  task.weight = weight.data;
  task.weight_type = weight.dtype;
  task.epilogue.bias = bias.data;
  task.epilogue.residual = residual.data;
  task.epilogue.y = y.data;
  task.epilogue.row_stride = task.columns;
  task.epilogue.type = x.dtype;
  task.epilogue.activation = static_cast<int>(call.integer(0));
  run_linear(task, y.size() / task.columns, x.data, x.dtype, call.workspace);
}

size_t workspace_of_linear(const OpCall& call) {
  const TensorView &x = call.tensor(0), &weight = call.tensor(1);
  return linear_workspace(x.rows(), weight.shape[1], x.dtype);
}

REGISTER_CPU_OP(linear, launch_linear, workspace_of_linear);

}  // namespace

size_t linear_workspace(int64_t rows, int64_t depth, DType x_type) {
  return needs_copy(rows, depth, x_type) ? static_cast<size_t>(rows * copy_stride(depth)) * sizeof(float) : 0;
}

void run_linear(LinearTask task, int64_t rows, const void* x, DType x_type, void* workspace) {
  const Kernels& table = kernels();
  task.x = static_cast<const float*>(x);
  task.x_stride = task.depth;
  if (needs_copy(rows, task.depth, x_type)) {
    float* copy = static_cast<float*>(workspace);
    task.x = copy;
    task.x_stride = copy_stride(task.depth);
    parallel_for(rows, grain_of(task.depth * 4), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const char* source = static_cast<const char*>(x) + row * task.depth * size_of(x_type);
        table.widen(source, x_type, copy + row * task.x_stride, task.depth);
      }
    });
  }

  if (rows <= table.dot_row_limit) {
    // Below four rows the time goes into reading the weight, so a column costs no less.
    const int64_t grain = grain_of(task.depth * std::max<int64_t>(rows, 4), 24);
    parallel_for(task.columns, grain,
                 [&](int64_t begin, int64_t end) { table.linear_dot(task, rows, begin, end); });
    return;
  }

  const int64_t row_blocks = ceil_divide(rows, kRowBlock);
  const int64_t block = ceil_divide(ceil_divide(rows, row_blocks), table.tile_rows) * table.tile_rows;
  const int64_t panels = ceil_divide(task.columns, table.panel_columns);
  const int64_t grain = grain_of(block * table.panel_columns * task.depth);
  parallel_for(ceil_divide(rows, block) * panels, grain, [&](int64_t begin, int64_t end) {
    float* scratch = thread_scratch((kDepthBlock + block) * table.panel_columns);
    for (int64_t item = begin; item < end; ++item) {
      const int64_t row = item / panels * block, panel = item % panels;
      table.linear_panels(task, row, std::min(rows, row + block), panel, panel + 1, scratch);
    }
  });
}

}  // namespace limen::cpu
