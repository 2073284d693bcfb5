// What the paged decode kernels share: their arguments, how keys are split over blocks, and the merge of the splits.

#pragma once

#include <cstdint>

#include "device/convert.cuh"
#include "device/launch.cuh"
#include "device/reduce.cuh"

namespace limen {

template <typename T>
struct DecodeArguments {
  const T* q;            // [B, H, D], D contiguous
  const T* key_pages;    // [G, P, K, D]
  const T* value_pages;  // [G, P, K, D]
  const int* page_table;  // [B, M]
  const int* lengths;    // [B]
  T* y;                  // [B, H, D]
  float* partial;        // [B, H, splits, D] sums, then [B, H, splits, 2] maximum and total; unused with one split
  int64_t q_batch, q_head;
  int batches, heads, key_heads, head_size, page_size, pages_per_sequence, splits;
  int page_shift;  // log2 of page_size, or −1
  float scale;

  __device__ int length_of(int batch) const { return max(0, min(lengths[batch], pages_per_sequence * page_size)); }
  // First element of head `key_head` of the key (or value) at `position`, as an offset into the pages.
  __device__ int64_t offset_of(const int* table, int position, int key_head) const {
    // Pages of a power of two are the rule, and a division per key would cost more than the key's arithmetic.
    const int page = page_shift >= 0 ? position >> page_shift : position / page_size;
    const int64_t slot = static_cast<int64_t>(table[page]) * page_size + (position - page * page_size);
    return (slot * key_heads + key_head) * head_size;
  }
  __device__ float* sums(int batch, int head, int split) const {
    return partial + ((static_cast<int64_t>(batch) * heads + head) * splits + split) * head_size;
  }
  __device__ float* weights(int batch, int head, int split) const {
    float* const base = partial + static_cast<int64_t>(batches) * heads * splits * head_size;
    return base + ((static_cast<int64_t>(batch) * heads + head) * splits + split) * 2;
  }
};

// Keys per split, the same for the split and the merge kernel: an even share, in multiples of the 32 keys that a
// block of the fast kernel loads at once.
__device__ __forceinline__ int keys_per_split(int length, int splits) {
  return ((length + splits - 1) / splits + 31) / 32 * 32;
}

// Stores one share of one head: final when there is a single split, else for the merge.
template <typename T>
__device__ __forceinline__ void store_share(const DecodeArguments<T>& a, int batch, int head, int split, int d,
                                            float sum, float highest, float total) {
  if (a.splits == 1) {
    const float inverse = total > 0.0f ? 1.0f / total : 0.0f;
    a.y[(static_cast<int64_t>(batch) * a.heads + head) * a.head_size + d] = from_float<T>(sum * inverse);
    return;
  }
  a.sums(batch, head, split)[d] = sum;
  if (d == 0) {
    a.weights(batch, head, split)[0] = highest;
    a.weights(batch, head, split)[1] = total;
  }
}

// Block ↔ one head of one sequence; thread ↔ values d, d + 128, … Reads only the shares that hold keys.
template <typename T>
__global__ void __launch_bounds__(128) attention_decode_merge_kernel(const DecodeArguments<T> a) {
  wait_for_upstream();
  const int head = blockIdx.x, batch = blockIdx.y;
  const int length = a.length_of(batch);
  const int share = keys_per_split(length, a.splits);
  const int used = share == 0 ? 0 : (length + share - 1) / share;
  float highest = -INFINITY;
  for (int split = 0; split < used; ++split) highest = fmaxf(highest, a.weights(batch, head, split)[0]);
  float total = 0.0f;
  for (int split = 0; split < used; ++split) {
    const float* weight = a.weights(batch, head, split);
    total += weight[1] * exp2f(weight[0] - highest);
  }
  const float inverse = total > 0.0f ? 1.0f / total : 0.0f;
  for (int d = threadIdx.x; d < a.head_size; d += 128) {
    float sum = 0.0f;
    for (int split = 0; split < used; ++split) {
      sum += a.sums(batch, head, split)[d] * exp2f(a.weights(batch, head, split)[0] - highest);
    }
    a.y[(static_cast<int64_t>(batch) * a.heads + head) * a.head_size + d] = from_float<T>(sum * inverse);
  }
}

template <typename T>
void launch_decode_merge(const DecodeArguments<T>& arguments, cudaStream_t stream) {
  Launch launch;
  launch.grid = dim3(arguments.heads, arguments.batches);
  launch.block = dim3(128);
  launch.stream = stream;
  launch.overlap = true;
  launch_kernel(launch, attention_decode_merge_kernel<T>, arguments);
}

}  // namespace limen
