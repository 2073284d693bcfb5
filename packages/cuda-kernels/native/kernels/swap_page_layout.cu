// swapPageLayout: y[.., m, n] = x[.., n, m], vectors of E elements: pages from NHD to HND order, or back.
//
//   x  [.., N, M, E]  any dtype; contiguous
//   y  [.., M, N, E]  dtype of x; contiguous; must not overlap x
//
// Geometry and cost: device/row_moves.cuh. In place: swap_page_layout_in_place.cu.

#include "core/op_registry.h"
#include "device/row_moves.cuh"

namespace limen {
namespace {

void launch_swap_page_layout(const OpCall& call) {
  const TensorView &x = call.tensor(0), &y = call.tensor(1);
  if (x.size() == 0) return;
  const int64_t row_bytes = x.last(0) * static_cast<int64_t>(size_of(x.dtype));
  const int64_t first = x.last(2), second = x.last(1);
  PageRows rows;
  rows.batches = row_count("swapPageLayout", "the number of pages", x.size() / (first * second * x.last(0)));
  rows.tokens = row_count("swapPageLayout", "a page", first);
  rows.heads = row_count("swapPageLayout", "a page", second);
  const int64_t page_bytes = first * second * row_bytes;
  const RowSide source = {x.as<char>(), page_bytes, inner_stride(second * row_bytes), inner_stride(row_bytes)};
  const RowSide target = {y.as<char>(), page_bytes, inner_stride(row_bytes), inner_stride(first * row_bytes)};
  launch_row_moves<Paging::kNone>("swapPageLayout", rows, source, target, row_bytes,
                                  static_cast<cudaStream_t>(call.stream));
}

}  // namespace

REGISTER_CUDA_OP(swap_page_layout, launch_swap_page_layout);

}  // namespace limen
