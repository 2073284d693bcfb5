// scatter_rows: x[index[m]] = rows[m]; an index outside [0, N) is skipped.
//
//   x      [N, C]  f32 | f16 | bf16 | i32  contiguous, any alignment (16 bytes is fast); other rows stay
//   rows   [M, C]  dtype of x
//   index  [M]     i32; when two are equal, one of their rows wins
//
// Launch: one word of 16 bytes (or what alignment leaves) per thread, 256 threads, grid-stride; neighbouring threads
// share a row. Rows move bit by bit. Bound by memory.

#include "core/cuda_check.h"
#include "core/op_registry.h"
#include "device/grid.cuh"
#include "device/row_copy.cuh"

namespace limen {
namespace {

constexpr int kThreads = 256;

template <typename Word, typename Index>
__global__ void __launch_bounds__(kThreads)
    scatter_rows_kernel(Word* __restrict__ x, const Word* __restrict__ rows, const int32_t* __restrict__ index,
                        Index items, Index words_per_row, int64_t row_count) {
  const Index stride = item_stride<Index>();
  for (Index item = first_item<Index>(); item < items; item += stride) {
    const Index row = item / words_per_row;
    const int64_t target = index[row];
    if (target < 0 || target >= row_count) continue;
    x[target * words_per_row + (item - row * words_per_row)] = rows[item];
  }
}

template <typename Word, typename Index>
void launch_words(const OpCall& call, int64_t items, int64_t words_per_row) {
  scatter_rows_kernel<Word, Index>
      <<<grid_for(items, kThreads), kThreads, 0, static_cast<cudaStream_t>(call.stream)>>>(
          call.tensor(0).as<Word>(), call.tensor(1).as<const Word>(), call.tensor(2).as<const int32_t>(),
          static_cast<Index>(items), static_cast<Index>(words_per_row), call.tensor(0).shape[0]);
  LIMEN_CHECK_LAUNCH(scatter_rows_kernel);
}

void launch_scatter_rows(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  const TensorView& rows = call.tensor(1);
  if (rows.size() == 0 || x.size() == 0) return;
  const int64_t element_bytes = static_cast<int64_t>(size_of(x.dtype));
  const int64_t row_bytes = x.shape[1] * element_bytes;
  const int word_bytes = widest_word(address_of(x.data) | address_of(rows.data) | row_bytes);
  dispatch_word(word_bytes, [&](auto word) {
    using Word = decltype(word);
    const int64_t items = rows.size() * element_bytes / word_bytes;
    if (fits_index32(items)) {
      launch_words<Word, uint32_t>(call, items, row_bytes / word_bytes);
    } else {
      launch_words<Word, uint64_t>(call, items, row_bytes / word_bytes);
    }
  });
}

}  // namespace

REGISTER_CUDA_OP(scatter_rows, launch_scatter_rows);

}  // namespace limen
