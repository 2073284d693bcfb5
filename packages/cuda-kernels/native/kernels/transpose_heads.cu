// transposeHeads: y[b, j, i] = x[b, i, j], vectors of D elements; tokens past a row's length become zeros.
//
//   x        [B, I, J, D]  any dtype; D dense, other axes at any stride
//   lengths  [B]           i32, optional; tokens that exist
//   y        [B, J, I, D]  dtype of x; D dense, other axes at any stride
//
// Attribute 0: which axis of x, 1 or 2, counts tokens. Geometry and cost: device/row_moves.cuh.

#include "core/op_registry.h"
#include "device/row_moves.cuh"

namespace limen {
namespace {

TensorView swap_middle(TensorView view) {
  std::swap(view.shape[1], view.shape[2]);
  std::swap(view.stride[1], view.stride[2]);
  return view;
}

void launch_transpose_heads(const OpCall& call) {
  // Both sides as [B, tokens, heads, D].
  const bool tokens_first = call.integer(0) == 1;
  const TensorView x = tokens_first ? call.tensor(0) : swap_middle(call.tensor(0));
  const TensorView y = tokens_first ? swap_middle(call.tensor(2)) : call.tensor(2);
  PageRows rows = rows_of("transposeHeads", x);
  rows.lengths = call.tensor(1).as<const int>();
  launch_row_moves<Paging::kNone>("transposeHeads", rows, row_side(x), row_side(y),
                                  x.shape[3] * static_cast<int64_t>(size_of(x.dtype)),
                                  static_cast<cudaStream_t>(call.stream));
}

}  // namespace

REGISTER_CUDA_OP(transpose_heads, launch_transpose_heads);

}  // namespace limen
