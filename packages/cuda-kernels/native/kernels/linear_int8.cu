// y = activation((x · weightᵀ) · scales + bias) + residual with one signed byte per weight, accumulated in f32.
//
// operand   shape   type            layout
// x         [M, K]  f32, f16, bf16  contiguous; M is the product of all leading sizes
// weight    [N, K]  i8              contiguous
// scales    [N]     f32             contiguous; one per row of weight
// bias      [N]     as x            optional
// residual  [M, N]  as x            optional; may be y
// y         [M, N]  as x            contiguous
//
// Bytes become floats on the way into the arithmetic (int8.cuh) and the scale is applied once, to the finished sum.
// Three ways: linear_stream.cuh (f16 and bf16, M ≤ 32: half the bytes of linear at the same share of the memory
// speed), linear_matvec.cuh (M ≤ 8 of everything else), linear_gemm.cuh (more rows; bytes are widened on the way into
// shared memory, so no widened copy of the weight exists anywhere). No workspace.

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/int8.cuh"
#include "kernels/linear_gemm.cuh"
#include "kernels/linear_matvec.cuh"
#include "kernels/linear_stream.cuh"

namespace limen {
namespace {

enum Operand { kX, kWeight, kScales, kBias, kResidual, kY };

constexpr int64_t kMatvecRowsMost = 8;

// Rows of a byte matrix, as a cursor for gemm_tile.cuh that widens to T.
template <typename T, int kRows, bool kAligned>
struct ByteCursor {
  static constexpr bool kAsync = false;  // bytes must pass through registers
  const int8_t* row[kRows];
  int64_t k;
  int64_t length;

  __device__ ByteCursor(const int8_t* base, int64_t rows, int64_t length_, int64_t first_row, int row_step, int64_t k_)
      : k(k_), length(length_) {
#pragma unroll
    for (int i = 0; i < kRows; ++i) row[i] = base + min(first_row + i * row_step, rows - 1) * length_;
  }
  __device__ float value(int i, int j) const { return k + j < length ? to_float(row[i][k + j]) : 0.0f; }
  __device__ uint4 packed(int i) const {
    uint2 bytes = make_uint2(0, 0);
    if constexpr (kAligned) {
      if (k < length) bytes = *reinterpret_cast<const uint2*>(row[i] + k);
    } else {
      uint32_t words[2] = {0, 0};
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        if (k + j < length) words[j / 4] |= static_cast<uint32_t>(static_cast<uint8_t>(row[i][k + j])) << (8 * (j % 4));
      }
      bytes = make_uint2(words[0], words[1]);
    }
    uint4 wide;
    unpack_int8x4_pairs<T>(bytes.x, wide.x, wide.y);
    unpack_int8x4_pairs<T>(bytes.y, wide.z, wide.w);
    return wide;
  }
  __device__ void advance(int step) { k += step; }
};

template <typename T, bool kAligned>
struct ByteWeight {
  template <int kRows>
  using Cursor = ByteCursor<T, kRows, kAligned>;
};

template <typename T>
void launch_typed(const OpCall& call) {
  const TensorView& x_view = call.tensor(kX);
  const TensorView& weight_view = call.tensor(kWeight);
  const T* x = x_view.as<T>();
  const int8_t* weight = weight_view.as<int8_t>();
  const auto stream = static_cast<cudaStream_t>(call.stream);
  const int64_t columns = weight_view.shape[0], length = weight_view.shape[1];
  int64_t rows = 1;
  for (int axis = 0; axis + 1 < x_view.rank; ++axis) rows *= x_view.shape[axis];
  if (rows == 0 || columns == 0) return;
  const auto out = make_projection<T>(call.tensor(kY).data, call.tensor(kBias).data, call.tensor(kResidual).data,
                                      call.tensor(kScales).as<float>(), rows, columns,
                                      static_cast<Activation>(call.integer(0)));
  const bool aligned = length % 16 == 0 && is_aligned16(x) && is_aligned16(weight);
  ProjectionInput<T, int8_t> in = {x, weight, length};
  in.constant_weight = call.flag(1);
  if constexpr (sizeof(T) == 2) {
    if (aligned && rows <= kStreamRowsMost) return launch_stream<T, int8_t, false>(in, out, stream);
  }
  if (rows <= kMatvecRowsMost) {
    if constexpr (sizeof(T) == 4) {
      if (aligned) return launch_matvec<T, int8_t, true, false, kMatvecRowsMost>(in, out, stream);
    }
    return launch_matvec<T, int8_t, false, false, kMatvecRowsMost>(in, out, stream);
  }
  if constexpr (sizeof(T) == 2) {
    if (aligned) return launch_gemm<T, ByteWeight<T, true>, true>(x, weight, out, length, stream);
  }
  launch_gemm<T, ByteWeight<T, false>, false>(x, weight, out, length, stream);
}

void launch_linear_int8(const OpCall& call) {
  dispatch_float(call.tensor(kX).dtype, "linearInt8",
                 [&](auto tag) { launch_typed<typename decltype(tag)::type>(call); });
}

REGISTER_CUDA_OP(linear_int8, launch_linear_int8);

}  // namespace
}  // namespace limen
