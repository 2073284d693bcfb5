// y = activation(x · weightᵀ + bias) + residual, accumulated in f32.
//
// operand   shape    type            layout
// x         [M, K]   f32, f16, bf16  contiguous; M is the product of all leading sizes
// weight    [N, K]   as x            contiguous
// bias      [N]      as x            optional
// residual  [M, N]   as x            optional; may be y
// y         [M, N]   as x            contiguous
//
// Five ways, by rows and alignment:
//   panel     9 ≤ M ≤ 64 of 16-bit types, tall weights, Hopper: warpgroup products   linear_panel.cuh
//   stream    M ≤ 32 of 16-bit types: tensor cores fed from a ring in shared memory  linear_stream.cuh
//   matvec    M ≤ 8 of f32 and of anything unaligned                                 linear_matvec.cuh
//   cuBLASLt  more rows, aligned operands, library present                           core/cublaslt.h
//   tiles     everything else                                                        linear_gemm.cuh
// attributes: activation, constantWeight (the weight may be read before earlier kernels have ended)
// cuBLASLt's GELU is the tanh form, so an activation is always applied by our own code: in the epilogue of the
// others, by a pass over y after cuBLASLt.
//
// Workspace: 32 MiB for cuBLASLt, plus one y when activation and residual meet there.

#include "core/cublaslt.h"
#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "kernels/linear_gemm.cuh"
#include "kernels/linear_matvec.cuh"
#include "kernels/linear_panel.cuh"
#include "kernels/linear_stream.cuh"

namespace limen {
namespace {

enum Operand { kX, kWeight, kBias, kResidual, kY };

struct Shape {
  int64_t rows, columns, length;
  DType dtype;
  Activation activation;
};

Shape shape_of(const OpCall& call) {
  const TensorView& x = call.tensor(kX);
  const TensorView& weight = call.tensor(kWeight);
  const int64_t length = weight.shape[1];
  int64_t rows = 1;
  for (int axis = 0; axis + 1 < x.rank; ++axis) rows *= x.shape[axis];
  return {rows, weight.shape[0], length, x.dtype, static_cast<Activation>(call.integer(0))};
}

constexpr int64_t kMatvecRowsMost = 8;

// Whether cuBLASLt is worth asking, from shapes alone, so that the workspace query and the launch agree.
bool prefers_cublaslt(const Shape& shape) {
  const int64_t width = 16 / static_cast<int64_t>(size_of(shape.dtype));
  const int64_t own_rows = shape.dtype == DType::kF32 ? kMatvecRowsMost : kStreamRowsMost;
  return shape.rows > own_rows && shape.length % width == 0 && shape.columns % width == 0 &&
         cublaslt_available();
}

size_t bytes_of_product(const Shape& shape, bool residual) {
  if (shape.activation == Activation::kNone || !residual) return 0;
  const size_t bytes = static_cast<size_t>(shape.rows * shape.columns) * size_of(shape.dtype);
  return (bytes + 255) / 256 * 256;
}

size_t workspace_of_linear(const OpCall& call) {
  const Shape shape = shape_of(call);
  if (!prefers_cublaslt(shape)) return 0;
  return kCublasLtWorkspaceBytes + bytes_of_product(shape, call.tensor(kResidual).present());
}

// y = activation(product) + residual; product may be y.
template <typename T>
__global__ void __launch_bounds__(256)
    linear_activation_kernel(const T* product, const T* residual, T* y, int64_t count, Activation activation) {
  wait_for_upstream();
  const int64_t step = static_cast<int64_t>(gridDim.x) * 256;
  constexpr int kWidth = kVectorWidth<T>;
  // The caller guarantees 16-byte alignment and a multiple of kWidth.
  for (int64_t index = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x; index < count / kWidth; index += step) {
    float values[kWidth], added[kWidth] = {};
    load16(product + index * kWidth, values);
    if (residual) load16(residual + index * kWidth, added);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[i] = activate<T>(activation, values[i]) + added[i];
    store16(y + index * kWidth, values);
  }
}

template <typename T>
bool launch_with_cublaslt(const OpCall& call, const Shape& shape, cudaStream_t stream) {
  const bool activated = shape.activation != Activation::kNone;
  const size_t held = bytes_of_product(shape, call.tensor(kResidual).present());
  if (call.workspace_bytes < kCublasLtWorkspaceBytes + held) return false;
  char* const scratch = static_cast<char*>(call.workspace);
  LinearProduct product;
  product.dtype = shape.dtype;
  product.x = call.tensor(kX).data;
  product.weight = call.tensor(kWeight).data;
  product.bias = call.tensor(kBias).data;
  product.residual = activated ? nullptr : call.tensor(kResidual).data;
  // A residual may live in y: what comes before the activation must then be kept elsewhere.
  product.y = held > 0 ? scratch + kCublasLtWorkspaceBytes : call.tensor(kY).data;
  product.rows = shape.rows;
  product.columns = shape.columns;
  product.length = shape.length;
  if (!cublaslt_linear(product, scratch, kCublasLtWorkspaceBytes, stream)) return false;
  if (activated) {
    const int64_t count = shape.rows * shape.columns;
    Launch launch;
    launch.grid = dim3(static_cast<unsigned>(std::min<int64_t>(ceil_div(count / kVectorWidth<T>, 256), 4096)));
    launch.block = dim3(256);
    launch.stream = stream;
    launch.overlap = true;
    launch_kernel(launch, linear_activation_kernel<T>, static_cast<const T*>(product.y),
                  static_cast<const T*>(call.tensor(kResidual).data), call.tensor(kY).as<T>(), count,
                  shape.activation);
  }
  return true;
}

template <typename T, bool kAligned>
struct PlainWeight {
  template <int kRows>
  using Cursor = MatrixCursor<T, kRows, kAligned>;
};

template <typename T>
void launch_typed(const OpCall& call, const Shape& shape, cudaStream_t stream) {
  const T* x = call.tensor(kX).as<T>();
  const T* weight = call.tensor(kWeight).as<T>();
  const bool aligned = is_vector_multiple<T>(shape.length) && is_aligned16(x) && is_aligned16(weight);
  const auto out = make_projection<T>(call.tensor(kY).data, call.tensor(kBias).data, call.tensor(kResidual).data,
                                      nullptr, shape.rows, shape.columns, shape.activation);
  ProjectionInput<T, T> in = {x, weight, shape.length};
  in.constant_weight = call.flag(1);
  if constexpr (sizeof(T) == 2) {
    if (aligned && prefers_panels<T>(shape.rows, shape.columns, shape.length)) {
      return launch_panel<T>("linear", x, weight, shape.length, out, in.constant_weight, stream);
    }
    if (aligned && shape.rows <= kStreamRowsMost) {
      return launch_stream<T, T, false>(in, out, stream);
    }
  }
  if (shape.rows <= kMatvecRowsMost) {
    if constexpr (sizeof(T) == 4) {
      if (aligned) return launch_matvec<T, T, true, false, kMatvecRowsMost>(in, out, stream);
    }
    return launch_matvec<T, T, false, false, kMatvecRowsMost>(in, out, stream);
  }
  const bool all_aligned = aligned && is_aligned16(out.y) && is_aligned16(out.bias) && is_aligned16(out.residual);
  if (all_aligned && prefers_cublaslt(shape) && launch_with_cublaslt<T>(call, shape, stream)) return;
  if constexpr (sizeof(T) == 2) {
    if (aligned) return launch_gemm<T, PlainWeight<T, true>, true>(x, weight, out, shape.length, stream);
  }
  launch_gemm<T, PlainWeight<T, false>, false>(x, weight, out, shape.length, stream);
}

void launch_linear(const OpCall& call) {
  const Shape shape = shape_of(call);
  if (shape.rows == 0 || shape.columns == 0) return;
  dispatch_float(shape.dtype, "linear", [&](auto tag) {
    launch_typed<typename decltype(tag)::type>(call, shape, static_cast<cudaStream_t>(call.stream));
  });
}

REGISTER_CUDA_OP(linear, launch_linear, workspace_of_linear);

}  // namespace
}  // namespace limen
