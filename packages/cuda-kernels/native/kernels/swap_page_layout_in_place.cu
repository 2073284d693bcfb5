// swapPageLayoutInPlace: the memory of pages [.., N, M, E] comes to hold [.., M, N, E]: NHD to HND order, or back.
//
//   pages  [.., N, M, E]  any dtype; contiguous; written
//
// Vectors change places, but the columns of a page do not mix: a block takes some columns of one page (all of them
// where they fit), reads their N · M pieces into shared memory, and writes them back in the other order. No other
// block touches those bytes. Pieces are as wide as about a third of an SM's shared memory allows, so that some blocks read
// while others write; below 64 bytes, up to all of it. The widest word that leaves a piece of one word fitting is used.
// Launch: 256 threads, grid of pages by pieces. Bound by memory: every byte is read once and written once.

#include <algorithm>
#include <string>

#include "core/cuda_check.h"
#include "core/op_registry.h"
#include "device/async_copy.cuh"
#include "device/fast_division.cuh"
#include "device/launch.cuh"
#include "device/page_rows.cuh"
#include "device/row_copy.cuh"

namespace limen {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kComfortableBytes = 72 * 1024;
constexpr int64_t kSectorPair = 64;

struct Swap {
  char* pages;
  int64_t page_words;
  uint32_t rows, row_words, piece_words;  // N · M, words of a row, words of a piece of it
  uint32_t second;                        // M
  FastDivisor first;                      // N
  FastDivisor piece, pieces;
};

template <typename Word>
__global__ void __launch_bounds__(kThreads) swap_page_layout_in_place_kernel(const __grid_constant__ Swap swap) {
  extern __shared__ __align__(16) char shared_bytes[];
  Word* const held = reinterpret_cast<Word*>(shared_bytes);
  uint32_t page;
  const uint32_t first_word = swap.pieces.divide(blockIdx.x, page) * swap.piece_words;
  Word* const memory = reinterpret_cast<Word*>(swap.pages) + page * swap.page_words + first_word;
  const uint32_t items = swap.rows * swap.piece_words;

  for (uint32_t item = threadIdx.x; item < items; item += kThreads) {
    uint32_t row;
    const uint32_t word = swap.piece.divide(item, row);
    const Word* const source = memory + static_cast<int64_t>(row) * swap.row_words + word;
    if constexpr (sizeof(Word) == 16) {
      copy_async16(held + item, source, true);
    } else {
      held[item] = *source;
    }
  }
  if constexpr (sizeof(Word) == 16) {
    commit_copies();
    wait_for_copies<0>();
  }
  __syncthreads();

  for (uint32_t item = threadIdx.x; item < items; item += kThreads) {
    uint32_t row, outer;
    const uint32_t word = swap.piece.divide(item, row);
    const uint32_t inner = swap.first.divide(row, outer);  // row = m · N + n
    memory[static_cast<int64_t>(row) * swap.row_words + word] =
        held[(inner * swap.second + outer) * swap.piece_words + word];
  }
}

int64_t shared_memory_limit() {
  int device = 0, bytes = 0;
  LIMEN_CUDA_CHECK(cudaGetDevice(&device));
  LIMEN_CUDA_CHECK(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  return bytes;
}

// Words of the pieces that a row is cut into: equal ones, as wide as fits; 0 when not even one word does.
int64_t piece_words(int64_t rows, int64_t row_words, int64_t word_bytes, int64_t limit) {
  const auto widest = [&](int64_t bytes) {
    for (int64_t pieces = 1; pieces <= row_words; ++pieces) {
      const int64_t words = row_words / pieces;
      if (row_words % pieces == 0 && rows * words * word_bytes <= bytes) return words;
    }
    return int64_t{0};
  };
  const int64_t comfortable = widest(std::min(limit, kComfortableBytes));
  if (comfortable == row_words || comfortable * word_bytes >= kSectorPair) return comfortable;
  return widest(limit);
}

void launch_swap_page_layout_in_place(const OpCall& call) {
  const TensorView& pages = call.tensor(0);
  if (pages.size() == 0 || pages.last(1) == 1 || pages.last(2) == 1) return;
  const char* const op = "swapPageLayoutInPlace";
  const int64_t row_bytes = pages.last(0) * static_cast<int64_t>(size_of(pages.dtype));
  const int64_t rows = pages.last(1) * pages.last(2);
  const int64_t limit = shared_memory_limit();
  int64_t bytes = widest_word(address_of(pages.data) | static_cast<uint64_t>(row_bytes));
  int64_t words = piece_words(rows, row_bytes / bytes, bytes, limit);
  while (words == 0 && bytes > 1) {
    bytes /= 2;
    words = piece_words(rows, row_bytes / bytes, bytes, limit);
  }
  if (words == 0) {
    throw OpError("SHAPE_MISMATCH", std::string(op) + ": pages are too large: expected N · M ≤ " +
                                        std::to_string(limit) + ", got " + std::to_string(rows) +
                                        ". Use swapPageLayout, which writes a new tensor.");
  }
  Swap swap = {};
  swap.pages = pages.as<char>();
  swap.rows = static_cast<uint32_t>(rows);
  swap.row_words = row_count(op, "a vector", row_bytes / bytes);
  swap.page_words = rows * swap.row_words;
  swap.piece_words = static_cast<uint32_t>(words);
  swap.second = static_cast<uint32_t>(pages.last(1));
  swap.first = FastDivisor(pages.last(2));
  swap.piece = FastDivisor(words);
  swap.pieces = FastDivisor(swap.row_words / words);

  Launch launch;
  const int64_t count = pages.size() / (rows * pages.last(0));
  launch.grid = dim3(row_count(op, "the number of blocks", count * (swap.row_words / words)));
  launch.block = dim3(kThreads);
  launch.shared_bytes = static_cast<size_t>(rows * words * bytes);
  launch.stream = static_cast<cudaStream_t>(call.stream);
  dispatch_word(static_cast<int>(bytes), [&](auto word) {
    launch_kernel(launch, swap_page_layout_in_place_kernel<decltype(word)>, swap);
  });
}

}  // namespace

REGISTER_CUDA_OP(swap_page_layout_in_place, launch_swap_page_layout_in_place);

}  // namespace limen
