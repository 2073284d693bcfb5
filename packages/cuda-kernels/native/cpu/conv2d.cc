// conv2d on the CPU: y[b,oy,ox,o] = Σ x[b, oy·stride − padding + ky, ox·stride − padding + kx, c] · w[o,ky,kx,c]
//                                   + bias[o] + residual[b,oy,ox,o]
//
//   x      [B, H, W, C]     contiguous, f32 | f16 | bf16     weight  [O, KH, KW, C]  contiguous, type of x
//   bias?  [O]  type of x   residual? and y  [B, OH, OW, O]  contiguous, type of x, may be one tensor
//
// The weight is packed once into panels (workspace). A work item is a rectangle of output pixels and a group of
// panels; it copies the input under the rectangle, so that padding and storage types cost nothing inside the loops.
// A 1×1 convolution without stride and padding is a linear layer and runs as one.

#include "cpu/launch.h"

namespace limen::cpu {
namespace {

constexpr int64_t kSlabFloats = 128 * 1024;  // input copy of a work item: half of a 1 MiB second-level cache
constexpr int64_t kTilePixels = 192;
constexpr int64_t kTileColumns = 48;
constexpr int64_t kWorkItems = 64;  // fewer rectangles than this: output channels are split too

ConvTask task_of(const OpCall& call) {
  const TensorView &x = call.tensor(0), &weight = call.tensor(1), &y = call.tensor(4);
  ConvTask task = {};
  task.height = x.shape[1];
  task.width = x.shape[2];
  task.channels = x.shape[3];
  task.kernel_height = weight.shape[1];
  task.kernel_width = weight.shape[2];
  task.out_height = y.shape[1];
  task.out_width = y.shape[2];
  task.out_channels = weight.shape[0];
  task.stride = call.integer(0);
  task.padding = call.integer(1);
  task.x = x.data;
  task.type = x.dtype;
  return task;
}

int64_t depth_of(const ConvTask& task) { return task.kernel_height * task.kernel_width * task.channels; }

bool is_linear(const ConvTask& task) {
  return task.kernel_height == 1 && task.kernel_width == 1 && task.stride == 1 && task.padding == 0;
}

struct TileSize {
  int64_t rows, columns;
};

int64_t slab_floats(const ConvTask& task, TileSize size) {
  return ((size.rows - 1) * task.stride + task.kernel_height) *
         ((size.columns - 1) * task.stride + task.kernel_width) * task.channels;
}

// Equal rectangles near kTilePixels pixels whose input fits kSlabFloats.
TileSize choose_tile(const ConvTask& task) {
  TileSize size = {1, ceil_divide(task.out_width, ceil_divide(task.out_width, kTileColumns))};
  while (size.columns > 12 && slab_floats(task, size) > kSlabFloats) size.columns = ceil_divide(size.columns, 2);
  while (size.rows < task.out_height && (size.rows + 1) * size.columns <= kTilePixels &&
         slab_floats(task, {size.rows + 1, size.columns}) <= kSlabFloats) {
    ++size.rows;
  }
  size.rows = ceil_divide(task.out_height, ceil_divide(task.out_height, size.rows));
  return size;
}

void launch_conv2d(const OpCall& call) {
  const TensorView &x = call.tensor(0), &weight = call.tensor(1), &bias = call.tensor(2), &residual = call.tensor(3),
                   &y = call.tensor(4);
  require_float(call, "x", x);
  require_type(call, "weight", weight, x.dtype);
  require_type(call, "bias", bias, x.dtype);
  require_type(call, "residual", residual, x.dtype);
  require_type(call, "y", y, x.dtype);
  if (y.size() == 0) return;

  ConvTask task = task_of(call);
  Epilogue epilogue;
  epilogue.bias = bias.data;
  epilogue.residual = residual.data;
  epilogue.y = y.data;
  epilogue.row_stride = task.out_channels;
  epilogue.type = x.dtype;
  if (is_linear(task)) {
    LinearTask linear;
    linear.columns = task.out_channels;
    linear.depth = task.channels;
    linear.weight = weight.data;
    linear.weight_type = weight.dtype;
    linear.epilogue = epilogue;
    run_linear(linear, y.size() / task.out_channels, x.data, x.dtype, call.workspace);
    return;
  }

  const Kernels& table = kernels();
  const int64_t depth = depth_of(task);
  const int64_t panel_count = ceil_divide(task.out_channels, table.panel_columns);
  float* panels = static_cast<float*>(call.workspace);
  parallel_for(panel_count, grain_of(depth * table.panel_columns * 4), [&](int64_t begin, int64_t end) {
    table.pack_panels(weight.data, weight.dtype, task.out_channels, depth, begin, end, panels);
  });
  task.panels = panels;
  task.epilogue = epilogue;

  const TileSize size = choose_tile(task);
  const int64_t across = ceil_divide(task.out_width, size.columns);
  const int64_t down = ceil_divide(task.out_height, size.rows);
  const int64_t rectangles = y.shape[0] * down * across;
  const int64_t group = std::max<int64_t>(1, panel_count * rectangles / kWorkItems);
  const int64_t groups = ceil_divide(panel_count, std::min(group, panel_count));
  const int64_t group_size = ceil_divide(panel_count, groups);
  const int64_t pixels = size.rows * size.columns;
  const int64_t grain = grain_of(pixels * depth * group_size * table.panel_columns);
  parallel_for(rectangles * groups, grain, [&](int64_t begin, int64_t end) {
    float* scratch = thread_scratch(slab_floats(task, size) + pixels * table.panel_columns);
    for (int64_t item = begin; item < end; ++item) {
      const int64_t rectangle = item / groups, first_panel = item % groups * group_size;
      ConvTile tile;
      tile.image = rectangle / (down * across);
      tile.row_begin = rectangle / across % down * size.rows;
      tile.row_end = std::min(task.out_height, tile.row_begin + size.rows);
      tile.column_begin = rectangle % across * size.columns;
      tile.column_end = std::min(task.out_width, tile.column_begin + size.columns);
      tile.panel_begin = first_panel;
      tile.panel_end = std::min(panel_count, first_panel + group_size);
      if (tile.panel_begin < tile.panel_end) table.conv2d_tile(task, tile, scratch);
    }
  });
}

size_t workspace_of_conv2d(const OpCall& call) {
  const ConvTask task = task_of(call);
  if (is_linear(task)) return linear_workspace(call.tensor(0).rows(), task.channels, task.type);
  const int64_t width = kernels().panel_columns;
  return static_cast<size_t>(ceil_divide(task.out_channels, width) * width * depth_of(task)) * sizeof(float);
}

REGISTER_CPU_OP(conv2d, launch_conv2d, workspace_of_conv2d);

}  // namespace
}  // namespace limen::cpu
