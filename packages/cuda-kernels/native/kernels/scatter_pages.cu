// scatter_pages: pages[n, index[m], e] = rows[m, n, e]; an index outside [0, G) is skipped.
//
//   pages  [N, G, E]  any dtype, contiguous, any alignment (16 bytes is fast); other pages stay
//   index  [M]        i32, contiguous; when two are equal, one of their rows wins
//   rows   [M, N, E]  dtype of pages; E contiguous, other axes at any stride
//
// Launch: one word of 16 bytes (or what alignment leaves) per thread, 256 threads, grid-stride; neighbouring threads
// share a row. Rows move bit by bit. Bound by memory. The way there: gather_pages.cu.

#include "core/cuda_check.h"
#include "core/op_registry.h"
#include "device/grid.cuh"
#include "device/page_words.cuh"

namespace limen {
namespace {

constexpr int kThreads = 256;
enum Operand { kPages, kIndex, kRows };

template <typename Word, typename Index>
__global__ void __launch_bounds__(kThreads)
    scatter_pages_kernel(Word* __restrict__ pages, const int32_t* __restrict__ index, const Word* __restrict__ run,
                         Index items, const WholePages rows) {
  const Index stride = item_stride<Index>();
  for (Index item = first_item<Index>(); item < items; item += stride) {
    const WordPlace place = place_word(rows, index, item);
    if (place.memory >= 0) pages[place.memory] = run[place.run];
  }
}

void launch_scatter_pages(const OpCall& call) {
  const TensorView &pages = call.tensor(kPages), &run = call.tensor(kRows);
  if (run.size() == 0 || pages.size() == 0) return;
  const int64_t element_bytes = static_cast<int64_t>(size_of(pages.dtype));
  const int word_bytes = page_word_bytes(pages, run, element_bytes);
  const WholePages rows = page_rows(pages, run, element_bytes, word_bytes);
  const int64_t items = run.size() * element_bytes / word_bytes;
  const auto stream = static_cast<cudaStream_t>(call.stream);
  dispatch_word(word_bytes, [&](auto word) {
    using Word = decltype(word);
    auto* const target = pages.as<Word>();
    const auto* const index = call.tensor(kIndex).as<const int32_t>();
    if (fits_index32(items)) {
      scatter_pages_kernel<Word, uint32_t><<<grid_for(items, kThreads), kThreads, 0, stream>>>(
          target, index, run.as<const Word>(), static_cast<uint32_t>(items), rows);
    } else {
      scatter_pages_kernel<Word, uint64_t><<<grid_for(items, kThreads), kThreads, 0, stream>>>(
          target, index, run.as<const Word>(), static_cast<uint64_t>(items), rows);
    }
    LIMEN_CHECK_LAUNCH(scatter_pages_kernel);
  });
}

}  // namespace

REGISTER_CUDA_OP(scatter_pages, launch_scatter_pages);

}  // namespace limen
