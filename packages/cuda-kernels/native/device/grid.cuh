// Grid sizes and index types for kernels that walk a flat range of items with a grid-stride loop.

#pragma once

#include <cstdint>

namespace limen {

// Blocks for `items` work items at one item per thread. The cap keeps launch cost bounded; the stride loop of the
// kernel covers the rest.
inline unsigned grid_for(int64_t items, int threads_per_block) {
  constexpr int64_t kMaxBlocks = int64_t{1} << 20;
  const int64_t blocks = (items + threads_per_block - 1) / threads_per_block;
  return static_cast<unsigned>(blocks < kMaxBlocks ? blocks : kMaxBlocks);
}

// Index arithmetic with divisions is several times cheaper in 32 bits. A grid-stride loop steps past the end by less
// than 2^20 blocks of 1024 threads, hence the margin of 2^30 below the wrap of an unsigned index.
inline bool fits_index32(int64_t items) { return items < (int64_t{1} << 31); }

// First item of this thread and distance to its next one, in the index type of the kernel.
template <typename Index>
__device__ __forceinline__ Index first_item() {
  return static_cast<Index>(blockIdx.x) * static_cast<Index>(blockDim.x) + static_cast<Index>(threadIdx.x);
}
template <typename Index>
__device__ __forceinline__ Index item_stride() {
  return static_cast<Index>(gridDim.x) * static_cast<Index>(blockDim.x);
}

}  // namespace limen
