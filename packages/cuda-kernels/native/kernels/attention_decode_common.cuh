// What the paged decode kernels share: their arguments, which keys a sequence sees, how keys are split over blocks, and
// the merge of the splits.

#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "device/convert.cuh"
#include "device/fast_division.cuh"
#include "device/launch.cuh"
#include "device/reduce.cuh"

namespace limen {

// One kind of page memory, keys or values, as the logical [G, P, K, E]. Strides in bytes.
struct PageView {
  const char* data;
  const char* scales;  // four bytes for each vector; null for formats without
  int64_t page, slot, head;
  int64_t scale_page, scale_slot, scale_head;

  __device__ const char* vector(int64_t page_index, int slot_index, int head_index) const {
    return data + page_index * page + slot_index * slot + head_index * head;
  }
  __device__ const char* scale(int64_t page_index, int slot_index, int head_index) const {
    return scales + page_index * scale_page + slot_index * scale_slot + head_index * scale_head;
  }
};

struct DecodeArguments {
  const void* q;  // [B, H, D], D contiguous
  PageView keys, values;
  const int* page_table;      // [B, M]
  const int* lengths;         // [B]
  const int* prefix_lengths;  // [B / rows], or null; another launch attends to those keys
  void* y;                    // [B, H, D]
  float* partial;  // [B, H, splits, D] sums, then [B, H, splits, 2] maximum and total; unused when a launch merges itself
  int64_t q_batch, q_head;  // in elements
  int batches, heads, key_heads, head_size, page_size, pages_per_sequence;
  int page_shift;            // log2 of page_size, or −1
  int window, sinks;         // window 0: every key is seen
  int rows;                  // sequences that share a prefix; 1 without
  int splits;                // of partial
  int launch_splits;         // blocks of a row in this launch
  float scale;
  DType q_type;

  __device__ int within_table(int length) const { return max(0, min(length, pages_per_sequence * page_size)); }
  __device__ int length_of(int batch) const { return within_table(lengths[batch]); }
  // A prefix is shared in whole sixteens: what a row reads itself then begins where pages may be copied sixteen keys at once.
  static __device__ int whole_prefix(int length) { return max(0, length) & ~15; }
  __device__ int prefix_of(int batch) const {
    return prefix_lengths == nullptr ? 0 : min(whole_prefix(prefix_lengths[batch / rows]), length_of(batch));
  }
  // Seen keys are numbered without gaps: the sinks, then the window.
  __device__ int seen_of(int length) const { return window > 0 ? min(length, sinks + window) : length; }
  __device__ int position_of(int seen_key, int hidden) const { return seen_key < sinks ? seen_key : seen_key + hidden; }
  __device__ int page_of(int batch, int position, int& slot) const {
    // Pages of a power of two are the rule, and a division per key would cost more than the key's arithmetic.
    const int place = page_shift >= 0 ? position >> page_shift : position / page_size;
    slot = position - place * page_size;
    // A released page is −1; it is never seen, but its number must not become an address.
    return max(0, page_table[static_cast<int64_t>(batch) * pages_per_sequence + place]);
  }
  __device__ float* sums(int batch, int head, int split) const {
    return partial + ((static_cast<int64_t>(batch) * heads + head) * splits + split) * head_size;
  }
  __device__ float* weights(int batch, int head, int split) const {
    float* const base = partial + static_cast<int64_t>(batches) * heads * splits * head_size;
    return base + ((static_cast<int64_t>(batch) * heads + head) * splits + split) * 2;
  }
  // Elements d … d + 3 of a head whose size is a multiple of eight; y is aligned to as many elements.
  __device__ void store4(int batch, int head, int d, float4 sum, float factor) const {
    const int64_t index = (static_cast<int64_t>(batch) * heads + head) * head_size + d;
    const float x = sum.x * factor, y1 = sum.y * factor, z = sum.z * factor, w = sum.w * factor;
    const uint2 words = q_type == DType::kF16
                            ? make_uint2(pack2<__half>(x, y1), pack2<__half>(z, w))
                            : make_uint2(pack2<__nv_bfloat16>(x, y1), pack2<__nv_bfloat16>(z, w));
    *reinterpret_cast<uint2*>(static_cast<__nv_bfloat16*>(y) + index) = words;
  }
  // Two elements of 16 bits, neighbours or not; what lies beyond the head is left out.
  __device__ void store_pair(int batch, int head, int low, int high, float x, float y1) const {
    const int64_t index = (static_cast<int64_t>(batch) * heads + head) * head_size;
    const uint32_t word = q_type == DType::kF16 ? pack2<__half>(x, y1) : pack2<__nv_bfloat16>(x, y1);
    auto* const row = static_cast<uint16_t*>(y) + index;
    if (high == low + 1) {
      if (low < head_size) *reinterpret_cast<uint32_t*>(row + low) = word;
    } else {
      if (low < head_size) row[low] = static_cast<uint16_t>(word);
      if (high < head_size) row[high] = static_cast<uint16_t>(word >> 16);
    }
  }
  __device__ void store(int batch, int head, int d, float value) const {
    const int64_t index = (static_cast<int64_t>(batch) * heads + head) * head_size + d;
    if (q_type == DType::kF32) {
      static_cast<float*>(y)[index] = value;
    } else if (q_type == DType::kF16) {
      static_cast<__half*>(y)[index] = from_float<__half>(value);
    } else {
      static_cast<__nv_bfloat16*>(y)[index] = from_float<__nv_bfloat16>(value);
    }
  }
};

// Seen keys [first, last) of one split: an even share in multiples of `step`, the keys a block takes at once.
struct KeyRange {
  int first, last;
};
__device__ __forceinline__ KeyRange share_from(int begin, int end, int split, int even_share, int step) {
  const int share = (even_share + step - 1) / step * step;
  const int first = min(begin + split * share, end);
  return {first, max(first, min(first + share, end))};
}
__device__ __forceinline__ KeyRange share_of_split(int begin, int end, int split, int splits, int step) {
  return share_from(begin, end, split, (max(0, end - begin) + splits - 1) / splits, step);
}
__device__ __forceinline__ KeyRange share_of_split(int begin, int end, int split, const FastDivisor& splits, int step) {
  const auto count = static_cast<uint32_t>(max(0, end - begin));
  return share_from(begin, end, split, static_cast<int>(splits.quotient(count + splits.divisor() - 1)), step);
}

inline constexpr int kMostDecodeSplits = 128;

// Block ↔ one head of one sequence; thread ↔ one split while the factors are made, then values d, d + kThreads, …
template <int kThreads>
__global__ void __launch_bounds__(kThreads) attention_decode_merge_kernel(const DecodeArguments a) {
  static_assert(kThreads == kMostDecodeSplits, "a thread for each split");
  __shared__ float factors[kMostDecodeSplits];
  wait_for_upstream();
  let_downstream_start();
  const int head = blockIdx.x, batch = blockIdx.y, split = threadIdx.x;
  const bool present = split < a.splits;
  const float2 weight = present ? *reinterpret_cast<const float2*>(a.weights(batch, head, split))
                                : make_float2(-INFINITY, 0.0f);
  const float highest = block_max<kThreads>(weight.x);
  const float keep = present && highest != -INFINITY ? exp2f(weight.x - highest) : 0.0f;
  factors[split] = keep;
  const float total = block_sum<kThreads>(weight.y * keep);  // its barriers also make the factors visible
  const float inverse = total > 0.0f ? 1.0f / total : 0.0f;
  const float* const sums = a.sums(batch, head, 0);
  for (int d = threadIdx.x; d < a.head_size; d += kThreads) {
    float sum = 0.0f;
#pragma unroll 8
    for (int part = 0; part < a.splits; ++part) {
      const float factor = factors[part];
      // A split without keys has stored no sums.
      if (factor > 0.0f) sum = fmaf(sums[static_cast<int64_t>(part) * a.head_size + d], factor, sum);
    }
    a.store(batch, head, d, sum * inverse);
  }
}

inline void launch_decode_merge(const DecodeArguments& arguments, cudaStream_t stream) {
  Launch launch;
  launch.grid = dim3(arguments.heads, arguments.batches);
  launch.block = dim3(128);
  launch.stream = stream;
  launch.overlap = true;
  launch_kernel(launch, attention_decode_merge_kernel<128>, arguments);
}

}  // namespace limen
