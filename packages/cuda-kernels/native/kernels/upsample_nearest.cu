// upsample_nearest: y[b, i, j, c] = x[b, i / scale, j / scale, c]: every pixel becomes a square of scale × scale.
//
//   x  [B, H, W, C]          f32 | f16 | bf16  contiguous, channels last, any alignment (16 bytes is fast)
//   y  [B, H·scale, W·scale, C]  dtype of x
//
// Launch: one input word of 16 bytes (or what alignment leaves) per thread, written scale² times, 256 threads,
// grid-stride. Bound by writes; x is read once.

#include "core/cuda_check.h"
#include "core/op_registry.h"
#include "device/grid.cuh"
#include "device/row_copy.cuh"

namespace limen {
namespace {

constexpr int kThreads = 256;

template <typename Word, typename Index>
__global__ void __launch_bounds__(kThreads)
    upsample_nearest_kernel(const Word* __restrict__ x, Word* __restrict__ y, Index items, Index words_per_pixel,
                            Index width, int scale) {
  const Index stride = item_stride<Index>();
  for (Index item = first_item<Index>(); item < items; item += stride) {
    const Index pixel = item / words_per_pixel;
    const Index channel = item - pixel * words_per_pixel;
    const Index row = pixel / width;  // rows of all images, counted through: b·H + i
    const Index column = pixel - row * width;
    const Word word = x[item];
    const int64_t y_width = static_cast<int64_t>(width) * scale;
    const int64_t y_pixel = static_cast<int64_t>(row) * scale * y_width + static_cast<int64_t>(column) * scale;
    Word* corner = y + y_pixel * words_per_pixel + channel;
    for (int down = 0; down < scale; ++down) {
      for (int right = 0; right < scale; ++right) {
        corner[(down * y_width + right) * static_cast<int64_t>(words_per_pixel)] = word;
      }
    }
  }
}

template <typename Word, typename Index>
void launch_words(const OpCall& call, int64_t items, int64_t words_per_pixel) {
  const TensorView& x = call.tensor(0);
  upsample_nearest_kernel<Word, Index>
      <<<grid_for(items, kThreads), kThreads, 0, static_cast<cudaStream_t>(call.stream)>>>(
          x.as<const Word>(), call.tensor(1).as<Word>(), static_cast<Index>(items),
          static_cast<Index>(words_per_pixel), static_cast<Index>(x.shape[2]), static_cast<int>(call.integer(0)));
  LIMEN_CHECK_LAUNCH(upsample_nearest_kernel);
}

void launch_upsample_nearest(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  const TensorView& y = call.tensor(1);
  if (y.size() == 0) return;
  const int64_t element_bytes = static_cast<int64_t>(size_of(x.dtype));
  const int64_t pixel_bytes = x.shape[3] * element_bytes;
  const int word_bytes = widest_word(address_of(x.data) | address_of(y.data) | pixel_bytes);
  dispatch_word(word_bytes, [&](auto word) {
    using Word = decltype(word);
    const int64_t items = x.size() * element_bytes / word_bytes;
    if (fits_index32(items)) {
      launch_words<Word, uint32_t>(call, items, pixel_bytes / word_bytes);
    } else {
      launch_words<Word, uint64_t>(call, items, pixel_bytes / word_bytes);
    }
  });
}

}  // namespace

REGISTER_CUDA_OP(upsample_nearest, launch_upsample_nearest);

}  // namespace limen
