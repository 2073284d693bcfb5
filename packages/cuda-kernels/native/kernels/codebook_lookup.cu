// codebook_lookup: y[i] = codebook[ids[i]], divided by max(‖codebook[ids[i]]‖₂, 1e-12) when normalize is set; an id
// outside [0, V) gives a row of zeros.
//
//   ids       [...]     i32  contiguous
//   codebook  [V, C]    f32 | f16 | bf16  contiguous, any alignment
//   y         [..., C]  dtype of codebook
//
// Launch: one row per warp, eight rows per block. Codes are short (C = 8 in VQ-16), so lanes take single elements
// and a long row is walked twice. f32 norm, one rounding.
// Source: https://arxiv.org/abs/2110.04627 (ℓ₂-normalised codes)

#include "core/cuda_check.h"
#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/convert.cuh"
#include "device/reduce.cuh"

namespace limen {
namespace {

constexpr int kRowsPerBlock = 8;

template <typename T>
__global__ void __launch_bounds__(32 * kRowsPerBlock)
    codebook_lookup_kernel(const int32_t* __restrict__ ids, const T* __restrict__ codebook, T* __restrict__ y,
                           int64_t rows, int64_t columns, int64_t vocabulary, bool normalize) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kRowsPerBlock + threadIdx.y;
  if (row >= rows) return;  // whole warps leave
  const int64_t id = ids[row];
  const bool known = id >= 0 && id < vocabulary;
  const T* code = codebook + (known ? id : 0) * columns;

  float scale = known ? 1.0f : 0.0f;
  if (normalize && known) {
    float squares = 0.0f;
    for (int64_t column = threadIdx.x; column < columns; column += 32) {
      const float value = to_float(code[column]);
      squares = fmaf(value, value, squares);
    }
    scale = 1.0f / fmaxf(sqrtf(warp_sum(squares)), 1e-12f);
  }
  for (int64_t column = threadIdx.x; column < columns; column += 32) {
    y[row * columns + column] = from_float<T>(known ? to_float(code[column]) * scale : 0.0f);
  }
}

void launch_codebook_lookup(const OpCall& call) {
  const TensorView& ids = call.tensor(0);
  const TensorView& codebook = call.tensor(1);
  const TensorView& y = call.tensor(2);
  if (y.size() == 0) return;
  const int64_t rows = ids.size();
  const unsigned grid = static_cast<unsigned>((rows + kRowsPerBlock - 1) / kRowsPerBlock);
  const bool normalize = call.flag(0);
  dispatch_float(codebook.dtype, "codebook_lookup", [&](auto tag) {
    using T = typename decltype(tag)::type;
    codebook_lookup_kernel<T><<<grid, dim3(32, kRowsPerBlock), 0, static_cast<cudaStream_t>(call.stream)>>>(
        ids.as<const int32_t>(), codebook.as<const T>(), y.as<T>(), rows, codebook.shape[1], codebook.shape[0],
        normalize);
    LIMEN_CHECK_LAUNCH(codebook_lookup_kernel);
  });
}

}  // namespace

REGISTER_CUDA_OP(codebook_lookup, launch_codebook_lookup);

}  // namespace limen
