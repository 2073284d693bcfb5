// contiguousToPages: pages[pageTable[b, s / P], s % P] = x[b, s] for s < lengths[b].
//
//   x          [B, S, K, D]  any dtype; D dense, other axes at any stride
//   pages      [G, P, K, D]  dtype of x; D dense, other axes at any stride; written
//   pageTable  [B, M]        i32; a page outside [0, G) is skipped
//   lengths    [B]           i32
//
// Geometry and cost: device/row_moves.cuh.

#include "core/op_registry.h"
#include "device/row_moves.cuh"

namespace limen {
namespace {

void launch_contiguous_to_pages(const OpCall& call) {
  const TensorView &x = call.tensor(0), &pages = call.tensor(1);
  if (pages.size() == 0) return;
  launch_row_moves<Paging::kTarget>("contiguousToPages",
                                    rows_in_pages("contiguousToPages", x, pages, call.tensor(2), call.tensor(3)),
                                    row_side(x), row_side(pages), x.shape[3] * static_cast<int64_t>(size_of(x.dtype)),
                                    static_cast<cudaStream_t>(call.stream));
}

}  // namespace

REGISTER_CUDA_OP(contiguous_to_pages, launch_contiguous_to_pages);

}  // namespace limen
