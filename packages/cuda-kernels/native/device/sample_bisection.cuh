// Top-k and top-p thresholds of a row by bisection, without sorting it: for distributions so flat that the
// candidates do not fit in shared memory. Each pass over the row weighs it at three thresholds and narrows the range
// to a quarter.

#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "device/ranked_index.cuh"
#include "device/reduce.cuh"
#include "device/sample_row.cuh"

namespace limen {

// Ranks of a 16-bit type differ in their upper bits only: bisection need not search the others.
template <typename T>
inline constexpr int kIdleRankBits = 0;
template <>
inline constexpr int kIdleRankBits<__half> = 13;
template <>
inline constexpr int kIdleRankBits<__nv_bfloat16> = 16;

template <typename T>
__device__ __forceinline__ uint32_t short_rank(float value) {
  return rank_of(value) >> kIdleRankBits<T>;
}

// A set of most likely tokens: all above a rank, and those at the rank up to an index.
template <typename T>
struct Kept {
  uint32_t rank;
  int last_index;

  __device__ __forceinline__ bool holds(float value, int index) const {
    const uint32_t own = short_rank<T>(value);
    return own > rank || (own == rank && index <= last_index);
  }
};

// Index of the `wanted`-th token (from 1) that is kept and has exactly this rank; the last index if there are fewer.
// Each warp counts its own stretch of the row; the stretch that holds the answer is then walked in order.
template <typename T>
__device__ int index_of_tie(const Row<T>& row, const Kept<T>& kept, uint32_t rank, int wanted, int* counts) {
  constexpr int kWarps = kSampleThreads / 32;
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const int stretch = (row.size + kSampleThreads - 1) / kSampleThreads * 32;
  const int begin = warp * stretch;
  const int end = min(begin + stretch, row.size);
  const auto ties_at = [&](int start) {
    const int index = start + lane;
    const float value = index < end ? to_float(row.data[index]) : NAN;
    return __ballot_sync(kFullWarp, index < end && short_rank<T>(value) == rank && kept.holds(value, index));
  };

  int own = 0;
  for (int start = begin; start < end; start += 32) own += __popc(ties_at(start));
  if (lane == 0) counts[warp] = own;
  if (threadIdx.x == 0) counts[kWarps] = row.size - 1;  // the answer when there are fewer ties than wanted
  __syncthreads();  // counts of all warps
  int before = 0;
  for (int other = 0; other < warp; ++other) before += counts[other];
  if (before < wanted && wanted <= before + own) {  // the same for all lanes of the warp
    int missing = wanted - before;
    for (int start = begin; start < end; start += 32) {
      unsigned ties = ties_at(start);
      const int found = __popc(ties);
      if (missing <= found) {
        for (int skipped = 1; skipped < missing; ++skipped) ties &= ties - 1;  // clears the lowest bit
        if (lane == 0) counts[kWarps] = start + __ffs(static_cast<int>(ties)) - 1;
        break;
      }
      missing -= found;
    }
  }
  __syncthreads();  // the answer stands
  const int answer = counts[kWarps];
  __syncthreads();  // counts may be used again
  return answer;
}

// The fewest most likely tokens of `kept` whose weights reach `target`; all of them if they never do.
// `counts` is shared memory of kSampleThreads / 32 + 1 integers.
template <typename T, typename Weight>
__device__ Kept<T> keep_most_likely(const Row<T>& row, const Kept<T>& kept, uint32_t greatest, float target,
                                    const Weight& weight, int* counts) {
  uint32_t low = kept.rank;      // its tokens and those above reach the target, or nothing does
  uint32_t high = greatest;      // nothing above it does
  float above = 0.0f;            // weight of the tokens ranked above `high`
  while (low < high) {
    const uint32_t step = (high - low) / 4 + 1;
    // Three thresholds in (low, high], the highest first; equal ones near the end do no harm.
    const uint32_t first = max(low + 1, high - min(step - 1, high - low - 1));
    const uint32_t second = max(low + 1, first - min(step, first - low - 1));
    const uint32_t third = max(low + 1, second - min(step, second - low - 1));
    float sums[3] = {};
    row.for_each([&](int index, float value) {
      if (!kept.holds(value, index)) return;
      const uint32_t rank = short_rank<T>(value);
      const float own = weight(value);
      sums[0] += rank >= first ? own : 0.0f;
      sums[1] += rank >= second ? own : 0.0f;
      sums[2] += rank >= third ? own : 0.0f;
    });
#pragma unroll
    for (int i = 0; i < 3; ++i) sums[i] = block_sum<kSampleThreads>(sums[i]);
    if (sums[0] >= target) {
      low = first;
    } else if (sums[1] >= target) {
      low = second;
      high = first - 1;
      above = sums[0];
    } else if (sums[2] >= target) {
      low = third;
      high = second - 1;
      above = sums[1];
    } else {
      high = third - 1;
      above = sums[2];
    }
  }

  // Tokens at the threshold weigh the same: as many as are still missing, lowest index first.
  const uint32_t idle = (1u << kIdleRankBits<T>) - 1;
  const uint32_t full_rank = (low << kIdleRankBits<T>) | (low >> (31 - kIdleRankBits<T>) == 0 ? idle : 0);
  const float missing = ceilf((target - above) / weight(value_of_rank(full_rank)));
  const int wanted = static_cast<int>(fminf(fmaxf(missing, 1.0f), static_cast<float>(row.size)));
  const int last = index_of_tie(row, kept, low, wanted, counts);
  return {low, low == kept.rank ? min(last, kept.last_index) : last};
}

}  // namespace limen
