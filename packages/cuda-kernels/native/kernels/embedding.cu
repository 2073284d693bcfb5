// embedding: y[i] = weight[ids[i]]; an id outside [0, V) gives a row of zeros.
//
//   ids     [...]     i32  contiguous
//   weight  [V, C]    f32 | f16 | bf16  contiguous, any alignment (16 bytes is fast)
//   y       [..., C]  dtype of weight
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
    embedding_kernel(const int32_t* __restrict__ ids, const Word* __restrict__ weight, Word* __restrict__ y,
                     Index items, Index words_per_row, int64_t vocabulary) {
  const Index stride = item_stride<Index>();
  for (Index item = first_item<Index>(); item < items; item += stride) {
    const Index row = item / words_per_row;
    const int64_t id = ids[row];
    Word word{};
    if (id >= 0 && id < vocabulary) word = weight[id * words_per_row + (item - row * words_per_row)];
    y[item] = word;
  }
}

template <typename Word, typename Index>
void launch_words(const OpCall& call, int64_t items, int64_t words_per_row) {
  embedding_kernel<Word, Index>
      <<<grid_for(items, kThreads), kThreads, 0, static_cast<cudaStream_t>(call.stream)>>>(
          call.tensor(0).as<const int32_t>(), call.tensor(1).as<const Word>(), call.tensor(2).as<Word>(),
          static_cast<Index>(items), static_cast<Index>(words_per_row), call.tensor(1).shape[0]);
  LIMEN_CHECK_LAUNCH(embedding_kernel);
}

void launch_embedding(const OpCall& call) {
  const TensorView& weight = call.tensor(1);
  const TensorView& y = call.tensor(2);
  if (y.size() == 0) return;
  const int64_t row_bytes = weight.shape[1] * static_cast<int64_t>(size_of(weight.dtype));
  const int64_t y_bytes = y.size() * static_cast<int64_t>(size_of(weight.dtype));
  const int word_bytes = widest_word(address_of(weight.data) | address_of(y.data) | row_bytes);
  dispatch_word(word_bytes, [&](auto word) {
    using Word = decltype(word);
    const int64_t items = y_bytes / word_bytes;
    if (fits_index32(items)) {
      launch_words<Word, uint32_t>(call, items, row_bytes / word_bytes);
    } else {
      launch_words<Word, uint64_t>(call, items, row_bytes / word_bytes);
    }
  });
}

}  // namespace

REGISTER_CUDA_OP(embedding, launch_embedding);

}  // namespace limen
