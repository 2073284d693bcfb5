// encodeToPages: pages[pageTable[b, s / P], s % P] = x[b, s] in the storage format of the pages, for s < lengths[b].
//
//   x          [B, S, K, D]  f32, f16 or bf16; D dense, other axes at any stride
//   pages      [G, P, K, E]  f32, f16, bf16, f8e4m3 (fp8), i8 (int8) or u8 (int4, E = D / 2); E dense; written
//   scales     [G, P, K, S]  with fp8 and int8: f32, S = 1; with int4: f16, S = 2; written
//   pageTable  [B, M]        i32; a page outside [0, G) is skipped
//   lengths    [B]           i32
//
// Geometry: kernels/vector_conversion.cuh.

#include "core/op_registry.h"
#include "kernels/vector_conversion.h"

namespace limen {
namespace {

void launch_encode_to_pages(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  const StoredSide target = {call.tensor(1), call.tensor(2)};
  if (target.elements.size() == 0) return;
  launch_vector_conversion(
      "encodeToPages", Paging::kTarget,
      rows_in_pages("encodeToPages", x, target.elements, call.tensor(3), call.tensor(4)), {x, {}}, target,
      static_cast<cudaStream_t>(call.stream));
}

}  // namespace

REGISTER_CUDA_OP(encode_to_pages, launch_encode_to_pages);

}  // namespace limen
