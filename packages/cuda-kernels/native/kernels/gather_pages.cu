// gather_pages: y[m, n, e] = pages[n, index[m], e]; zeros where index[m] is outside [0, G).
//
//   pages  [N, G, E]  any dtype, contiguous, any alignment (16 bytes is fast)
//   index  [M]        i32, contiguous
//   y      [M, N, E]  dtype of pages; E contiguous, other axes at any stride
//
// Launch: one word of 16 bytes (or what alignment leaves) per thread, 256 threads, grid-stride; neighbouring threads
// share a row. Rows move bit by bit. Bound by memory. The way back: scatter_pages.cu.

#include "core/cuda_check.h"
#include "core/op_registry.h"
#include "device/grid.cuh"
#include "device/page_words.cuh"

namespace limen {
namespace {

constexpr int kThreads = 256;
enum Operand { kPages, kIndex, kY };

template <typename Word, typename Index>
__global__ void __launch_bounds__(kThreads)
    gather_pages_kernel(const Word* __restrict__ pages, const int32_t* __restrict__ index, Word* __restrict__ y,
                        Index items, const WholePages rows) {
  const Index stride = item_stride<Index>();
  for (Index item = first_item<Index>(); item < items; item += stride) {
    const WordPlace place = place_word(rows, index, item);
    y[place.run] = place.memory < 0 ? Word{} : pages[place.memory];
  }
}

void launch_gather_pages(const OpCall& call) {
  const TensorView &pages = call.tensor(kPages), &y = call.tensor(kY);
  if (y.size() == 0) return;
  const int64_t element_bytes = static_cast<int64_t>(size_of(pages.dtype));
  const int word_bytes = page_word_bytes(pages, y, element_bytes);
  const WholePages rows = page_rows(pages, y, element_bytes, word_bytes);
  const int64_t items = y.size() * element_bytes / word_bytes;
  const auto stream = static_cast<cudaStream_t>(call.stream);
  dispatch_word(word_bytes, [&](auto word) {
    using Word = decltype(word);
    const auto* const source = pages.as<const Word>();
    const auto* const index = call.tensor(kIndex).as<const int32_t>();
    if (fits_index32(items)) {
      gather_pages_kernel<Word, uint32_t><<<grid_for(items, kThreads), kThreads, 0, stream>>>(
          source, index, y.as<Word>(), static_cast<uint32_t>(items), rows);
    } else {
      gather_pages_kernel<Word, uint64_t><<<grid_for(items, kThreads), kThreads, 0, stream>>>(
          source, index, y.as<Word>(), static_cast<uint64_t>(items), rows);
    }
    LIMEN_CHECK_LAUNCH(gather_pages_kernel);
  });
}

}  // namespace

REGISTER_CUDA_OP(gather_pages, launch_gather_pages);

}  // namespace limen
