// argmax: index of the greatest element of each row.
//
//   x    [..., V]  f32 | f16 | bf16  contiguous, any alignment (16 bytes is fast)
//   ids  [...]     i32
//
// Equal values give the lowest index; NaN never wins; a row of only NaN gives 0. The result does not depend on the
// grid.
//
// Launch: pass 1, blocks of 256 threads over (piece of a row, row), as many pieces as fill the device when rows are
// few; pass 2, one warp per row over the pieces. Workspace: 8 bytes per piece and row. Bound by memory for many
// rows, by latency for one.

#include "core/cuda_check.h"
#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/ranked_index.cuh"
#include "device/row_slices.cuh"

namespace limen {
namespace {

constexpr int kThreads = 256;

// Pieces per row: enough blocks for two per multiprocessor of a large device, but no piece below 4096 elements.
int64_t pieces_of(int64_t rows, int64_t columns) {
  const int64_t wanted = rows >= 256 ? 1 : 256 / rows;
  const int64_t possible = (columns + 4095) / 4096;
  const int64_t pieces = wanted < possible ? wanted : possible;
  return pieces < 1 ? 1 : pieces;
}

template <typename T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    argmax_kernel(const T* __restrict__ x, RankedIndex* __restrict__ partial, int32_t* __restrict__ ids, int64_t rows,
                  int64_t columns, int64_t vectors_per_piece) {
  __shared__ RankedIndex scratch[kThreads / 32];
  const int64_t pieces = gridDim.x;
  const int64_t begin = blockIdx.x * vectors_per_piece;
  const int64_t vectors = columns / kWidth;
  const int64_t end = begin + vectors_per_piece < vectors ? begin + vectors_per_piece : vectors;
  for (int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
    RankedIndex best = 0;
    for (int64_t vector = begin + threadIdx.x; vector < end; vector += kThreads) {
      float values[kWidth];
      load_vector<kWidth>(x + row * columns + vector * kWidth, values);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) {
        const RankedIndex candidate = rank_index(values[i], static_cast<uint32_t>(vector * kWidth + i));
        best = candidate > best ? candidate : best;
      }
    }
    best = block_best<kThreads>(best, scratch);
    if (threadIdx.x == 0) {
      if (pieces == 1) {
        ids[row] = index_of(best);
      } else {
        partial[row * pieces + blockIdx.x] = best;
      }
    }
  }
}

__global__ void __launch_bounds__(128)
    argmax_merge_kernel(const RankedIndex* __restrict__ partial, int32_t* __restrict__ ids, int64_t rows,
                        int64_t pieces) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (row >= rows) return;  // whole warps leave
  RankedIndex best = 0;
  for (int64_t piece = threadIdx.x; piece < pieces; piece += 32) {
    const RankedIndex candidate = partial[row * pieces + piece];
    best = candidate > best ? candidate : best;
  }
  best = warp_best(best);
  if (threadIdx.x == 0) ids[row] = index_of(best);
}

size_t workspace_of_argmax(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  if (x.size() == 0) return 0;
  const int64_t rows = x.size() / x.last(0);
  const int64_t pieces = pieces_of(rows, x.last(0));
  return pieces == 1 ? 0 : static_cast<size_t>(rows * pieces) * sizeof(RankedIndex);
}

void launch_argmax(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  const TensorView& ids = call.tensor(1);
  if (x.size() == 0) return;
  const int64_t columns = x.last(0);
  const int64_t rows = x.size() / columns;
  const int64_t pieces = pieces_of(rows, columns);
  const cudaStream_t stream = static_cast<cudaStream_t>(call.stream);
  RankedIndex* partial = static_cast<RankedIndex*>(call.workspace);
  const dim3 grid(static_cast<unsigned>(pieces), static_cast<unsigned>(rows < 65535 ? rows : 65535));
  dispatch_float(x.dtype, "argmax", [&](auto tag) {
    using T = typename decltype(tag)::type;
    constexpr int kWidth = kVectorWidth<T>;
    if (is_aligned16(x.data) && is_vector_multiple<T>(columns)) {
      const int64_t per_piece = (columns / kWidth + pieces - 1) / pieces;
      argmax_kernel<T, kWidth><<<grid, kThreads, 0, stream>>>(x.as<const T>(), partial, ids.as<int32_t>(), rows,
                                                              columns, per_piece);
    } else {
      const int64_t per_piece = (columns + pieces - 1) / pieces;
      argmax_kernel<T, 1><<<grid, kThreads, 0, stream>>>(x.as<const T>(), partial, ids.as<int32_t>(), rows, columns,
                                                         per_piece);
    }
    LIMEN_CHECK_LAUNCH(argmax_kernel);
  });
  if (pieces > 1) {
    argmax_merge_kernel<<<static_cast<unsigned>((rows + 3) / 4), dim3(32, 4), 0, stream>>>(
        partial, ids.as<int32_t>(), rows, pieces);
    LIMEN_CHECK_LAUNCH(argmax_merge_kernel);
  }
}

}  // namespace

REGISTER_CUDA_OP(argmax, launch_argmax, workspace_of_argmax);

}  // namespace limen
