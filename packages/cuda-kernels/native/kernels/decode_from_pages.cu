// decodeFromPages: y[b, s] = pages[pageTable[b, s / P], s % P] as floats for s < lengths[b], zeros elsewhere.
//
//   pages      [G, P, K, E]  f32, f16, bf16, f8e4m3 (fp8), i8 (int8) or u8 (int4, E = D / 2); E dense
//   scales     [G, P, K, S]  with fp8 and int8: f32, S = 1; with int4: f16, S = 2
//   pageTable  [B, M]        i32; tokens of a page outside [0, G) become zeros
//   lengths    [B]           i32
//   y          [B, S, K, D]  f32, f16 or bf16; D dense, other axes at any stride
//
// Geometry: kernels/vector_conversion.cuh.

#include "core/op_registry.h"
#include "kernels/vector_conversion.h"

namespace limen {
namespace {

void launch_decode_from_pages(const OpCall& call) {
  const StoredSide source = {call.tensor(0), call.tensor(1)};
  const TensorView& y = call.tensor(4);
  launch_vector_conversion(
      "decodeFromPages", Paging::kSource,
      rows_in_pages("decodeFromPages", y, source.elements, call.tensor(2), call.tensor(3)), source, {y, {}},
      static_cast<cudaStream_t>(call.stream));
}

}  // namespace

REGISTER_CUDA_OP(decode_from_pages, launch_decode_from_pages);

}  // namespace limen
