// Rows of pages between page memory [N, G, E] and a run of whole pages [M, N, E], shared by gather_pages and
// scatter_pages. A row is what one page holds in one plane; it moves as words of 16 bytes, or what alignment leaves.

#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/tensor_view.h"
#include "device/row_copy.cuh"

namespace limen {

// Distances in words of the kind that the kernel moves.
struct WholePages {
  int64_t words_per_row = 0;
  int64_t planes = 0;     // N
  int64_t pages = 0;      // G
  int64_t run_page = 0;   // from one page of the run to the next
  int64_t run_plane = 0;  // from one plane of a page of the run to the next
};

// Bytes of the words that both sides allow.
inline int page_word_bytes(const TensorView& memory, const TensorView& run, int64_t element_bytes) {
  uint64_t facts = address_of(memory.data) | address_of(run.data) | (memory.shape[2] * element_bytes);
  if (run.shape[0] > 1) facts |= run.stride[0] * element_bytes;
  if (run.shape[1] > 1) facts |= run.stride[1] * element_bytes;
  return widest_word(facts);
}

inline WholePages page_rows(const TensorView& memory, const TensorView& run, int64_t element_bytes, int word_bytes) {
  WholePages rows;
  rows.words_per_row = memory.shape[2] * element_bytes / word_bytes;
  rows.planes = memory.shape[0];
  rows.pages = memory.shape[1];
  rows.run_page = run.stride[0] * element_bytes / word_bytes;
  rows.run_plane = run.stride[1] * element_bytes / word_bytes;
  return rows;
}

// Where one word of the run lies: which page of the run it is of, and its place on either side. `memory` is negative
// when the page does not exist.
struct WordPlace {
  int64_t memory;
  int64_t run;
};

// `item` counts the words of the run, page by page and plane by plane.
template <typename Index>
__device__ __forceinline__ WordPlace place_word(const WholePages& rows, const int32_t* __restrict__ index, Index item) {
  const Index words = static_cast<Index>(rows.words_per_row);
  const Index planes = static_cast<Index>(rows.planes);
  const Index row = item / words;
  const Index m = row / planes;
  const auto word = static_cast<int64_t>(item - row * words);
  const auto plane = static_cast<int64_t>(row - m * planes);
  const int64_t page = index[m];
  const bool exists = page >= 0 && page < rows.pages;
  return {exists ? (plane * rows.pages + page) * rows.words_per_row + word : -1,
          static_cast<int64_t>(m) * rows.run_page + plane * rows.run_plane + word};
}

}  // namespace limen
