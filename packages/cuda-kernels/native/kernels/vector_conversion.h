// Moving key and value vectors from one storage format to another, of which one side may lie in pages: the launcher
// behind encodeToPages, decodeFromPages and convertPages. Kernels: vector_conversion.cuh; defined in convert_pages.cu.

#pragma once

#include "core/tensor_view.h"
#include "device/page_rows.cuh"

namespace limen {

// One side of a conversion: elements [.., .., K, E] of type f32, f16, bf16, f8e4m3 (fp8), i8 (int8) or u8 (int4), and
// scales for the last three.
struct StoredSide {
  TensorView elements;
  TensorView scales;  // not present for floats
};

// Enqueues the conversion of every row. `rows` needs no tiles yet. Rows without a source become zeros with scale 0
// unless the target lies in pages; then they are left alone.
void launch_vector_conversion(const char* op, Paging paging, PageRows rows, const StoredSide& source,
                              const StoredSide& target, cudaStream_t stream);

}  // namespace limen
