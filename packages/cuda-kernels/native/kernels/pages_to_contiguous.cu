// pagesToContiguous: y[b, s] = pages[pageTable[b, s / P], s % P] for s < lengths[b], zeros elsewhere.
//
//   pages      [G, P, K, D]  any dtype; D dense, other axes at any stride
//   pageTable  [B, M]        i32; tokens of a page outside [0, G) become zeros
//   lengths    [B]           i32
//   y          [B, S, K, D]  dtype of pages; D dense, other axes at any stride
//
// Geometry and cost: device/row_moves.cuh.

#include "core/op_registry.h"
#include "device/row_moves.cuh"

namespace limen {
namespace {

void launch_pages_to_contiguous(const OpCall& call) {
  const TensorView &pages = call.tensor(0), &y = call.tensor(3);
  launch_row_moves<Paging::kSource>("pagesToContiguous",
                                    rows_in_pages("pagesToContiguous", y, pages, call.tensor(1), call.tensor(2)),
                                    row_side(pages), row_side(y), y.shape[3] * static_cast<int64_t>(size_of(y.dtype)),
                                    static_cast<cudaStream_t>(call.stream));
}

}  // namespace

REGISTER_CUDA_OP(pages_to_contiguous, launch_pages_to_contiguous);

}  // namespace limen
