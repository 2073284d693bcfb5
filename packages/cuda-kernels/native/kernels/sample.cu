// sample: draws one token per row of logits.
//
//   logits      [B, V]  f32 | f16 | bf16  contiguous, any alignment
//   parameters  [B, 4]  f32: temperature (≤ 0: argmax), topK (≤ 0: off), topP (≥ 1: off), unused
//   seeds       [B, 2]  i32: the Philox key
//   counters    [B]     i32: which draw of the sequence this is
//   ids         [B]     i32
//
// Kept are the topK most likely tokens (equal logits: lower index first), of these the fewest most likely ones whose
// probability at this temperature reaches topP. The draw is Gumbel-max: the kept v with the greatest
// logit/temperature − log(−log u_v), u_v from lane v % 4 of Philox(key seeds, counter (v / 4, counter, 0, 0)). It
// depends on nothing but its row: the same in any batch, eager or captured.
//
// Launch: one block of 1024 threads per row. Without filters one pass over the row. With them: the greatest logit
// and the total weight; a bound below which no kept token can lie; the few candidates above it go to shared memory,
// are sorted, cut, and drawn from. Should more than 4096 tokens pass the bound (a nearly flat distribution), the
// thresholds are found by bisection over the row instead (sample_bisection.cuh): slower, the same answer. Shared
// memory: 33 KiB.
// Source: https://arxiv.org/abs/1904.09751 (top-p), https://arxiv.org/abs/1611.01144 (Gumbel-max)

#include "core/cuda_check.h"
#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/ranked_index.cuh"
#include "device/reduce.cuh"
#include "device/sample_bisection.cuh"
#include "device/sample_row.cuh"

namespace limen {
namespace {

constexpr int kCandidates = 4096;

// Bitonic sort, greatest first, of `length` numbers in shared memory; a power of two.
__device__ void sort_descending(RankedIndex* items, int length) {
  for (int run = 2; run <= length; run *= 2) {
    for (int distance = run / 2; distance > 0; distance /= 2) {
      for (int i = threadIdx.x; i < length / 2; i += kSampleThreads) {
        const int low = 2 * i - (i & (distance - 1));
        const int high = low + distance;
        const RankedIndex a = items[low];
        const RankedIndex b = items[high];
        const bool descending = (low & run) == 0;
        if (descending ? a < b : a > b) {
          items[low] = b;
          items[high] = a;
        }
      }
      __syncthreads();  // the next step compares what this one placed
    }
  }
}

__device__ int next_power_of_two(int value) { return value <= 1 ? 1 : 1 << (32 - __clz(value - 1)); }

__device__ float logit_of(RankedIndex candidate) { return value_of_rank(static_cast<uint32_t>(candidate >> 32)); }

// How many of `count` sorted candidates it takes, from the top, for their weights to reach `target`; at most all.
// `warp_sums` is shared memory of one float per warp, `result` of one integer.
__device__ int count_until(const RankedIndex* sorted, int count, const SoftmaxWeight& weight, float target,
                           float* warp_sums, int* result) {
  if (count == 0) return 0;
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  if (threadIdx.x == 0) *result = count;
  float before = 0.0f;
  for (int start = 0; start < count; start += kSampleThreads) {
    const int at = start + threadIdx.x;
    float sum = at < count ? weight(logit_of(sorted[at])) : 0.0f;
#pragma unroll
    for (int offset = 1; offset < 32; offset *= 2) {  // running sum within the warp
      const float left = __shfl_up_sync(kFullWarp, sum, offset);
      if (lane >= offset) sum += left;
    }
    if (lane == 31) warp_sums[warp] = sum;
    __syncthreads();  // sums of all warps, and the initial result, stand
    float reached = before + sum;
    for (int other = 0; other < kSampleThreads / 32; ++other) {
      if (other < warp) reached += warp_sums[other];
      before += warp_sums[other];
    }
    if (at < count && reached >= target) atomicMin(result, at + 1);
    __syncthreads();  // warp_sums may be overwritten, the result read
  }
  return *result;
}

// Shared memory of a block.
struct Scratch {
  RankedIndex candidates[kCandidates];
  RankedIndex best[kSampleThreads / 32];
  float warp_sums[kSampleThreads / 32];
  int counts[kSampleThreads / 32 + 1];
  int counter;
};

// What a row asks for, read once.
struct Request {
  int keep;  // most likely tokens that survive topK
  bool limits_k;
  bool limits_p;
  float top_p;
};

// Best score of this thread's share of the tokens that survive the filters.
template <typename T>
__device__ RankedIndex draw_filtered(const Row<T>& row, const Request& request, const Draw& draw, Scratch& scratch) {
  // The greatest logit of this thread's share, and of the row.
  RankedIndex own = 0;
  row.for_each_quad([&](int index, const float(&values)[4]) {
    const RankedIndex candidate = best_of_quad(index, values);
    own = candidate > own ? candidate : own;
  });
  const RankedIndex greatest = block_best<kSampleThreads>(own, scratch.best);
  const SoftmaxWeight weight{logit_of(greatest), draw.temperature};

  // A bound by rank that no survivor lies below. topK: at least k logits reach the k-th greatest of the threads' own
  // maxima. topP: all tokens lighter than (1 − topP) · total / V together cannot hold more than 1 − topP.
  uint32_t bound = 1;  // leaves out NaN only
  float total = 0.0f;
  if (!request.limits_k) {
    row.for_each([&](int, float logit) { total += weight(logit); });
    total = block_sum<kSampleThreads>(total);
    const float least = 0.999f * (1.0f - request.top_p) * total / static_cast<float>(row.size);
    if (least > 0.0f) bound = max(bound, rank_of(weight.logit_of(least)));
  } else if (request.keep <= kSampleThreads) {
    scratch.candidates[threadIdx.x] = own;
    __syncthreads();  // all maxima stand
    sort_descending(scratch.candidates, kSampleThreads);
    bound = max(bound, static_cast<uint32_t>(scratch.candidates[request.keep - 1] >> 32));
  }

  if (threadIdx.x == 0) scratch.counter = 0;
  __syncthreads();  // the counter is set, and the maxima have been read
  row.for_each([&](int index, float logit) {
    if (rank_of(logit) < bound) return;
    const int place = atomicAdd(&scratch.counter, 1);
    if (place < kCandidates) scratch.candidates[place] = rank_index(logit, static_cast<uint32_t>(index));
  });
  __syncthreads();  // the candidates stand
  const int found = scratch.counter;

  RankedIndex best = 0;
  if (found <= kCandidates) {
    // Sorted, candidates are in the order of likelihood whatever order they arrived in.
    const int length = next_power_of_two(found);
    for (int at = found + threadIdx.x; at < length; at += kSampleThreads) scratch.candidates[at] = 0;
    __syncthreads();  // the padding stands, and all have read the counter
    sort_descending(scratch.candidates, length);
    int kept = min(found, request.keep);
    if (request.limits_p) {
      if (request.limits_k) {
        for (int at = threadIdx.x; at < kept; at += kSampleThreads) total += weight(logit_of(scratch.candidates[at]));
        total = block_sum<kSampleThreads>(total);
      }
      kept = count_until(scratch.candidates, kept, weight, request.top_p * total, scratch.warp_sums, &scratch.counter);
    }
    for (int at = threadIdx.x; at < kept; at += kSampleThreads) {
      const RankedIndex candidate = scratch.candidates[at];
      const RankedIndex score = draw.from_one(index_of(candidate), logit_of(candidate));
      best = score > best ? score : best;
    }
    return best;
  }

  const uint32_t top = static_cast<uint32_t>(greatest >> 32) >> kIdleRankBits<T>;
  Kept<T> kept{short_rank<T>(-INFINITY), row.size};
  if (request.limits_k) {
    kept = keep_most_likely(row, kept, top, static_cast<float>(request.keep), CountWeight{}, scratch.counts);
  }
  if (request.limits_p) {
    total = 0.0f;
    row.for_each([&](int index, float logit) { total += kept.holds(logit, index) ? weight(logit) : 0.0f; });
    total = block_sum<kSampleThreads>(total);
    kept = keep_most_likely(row, kept, top, request.top_p * total, weight, scratch.counts);
  }
  row.for_each([&](int index, float logit) {
    if (!kept.holds(logit, index)) return;
    const RankedIndex score = draw.from_one(index, logit);
    best = score > best ? score : best;
  });
  return best;
}

template <typename T>
__global__ void __launch_bounds__(kSampleThreads)
    sample_kernel(const T* __restrict__ logits, const float* __restrict__ parameters, const int32_t* __restrict__ seeds,
                  const int32_t* __restrict__ counters, int32_t* __restrict__ ids, int vocabulary) {
  __shared__ Scratch scratch;
  const int64_t place = blockIdx.x;
  const Row<T> row{logits + place * vocabulary, vocabulary};
  const float temperature = parameters[place * 4];
  const float top_k = parameters[place * 4 + 1];
  const float top_p = parameters[place * 4 + 2];
  const bool limits_k = top_k >= 1.0f && top_k < static_cast<float>(vocabulary);
  const Request request{limits_k ? static_cast<int>(top_k) : vocabulary, limits_k, top_p < 1.0f, fmaxf(top_p, 0.0f)};
  const uint2 key = make_uint2(static_cast<uint32_t>(seeds[place * 2]), static_cast<uint32_t>(seeds[place * 2 + 1]));
  const Draw draw{key, static_cast<uint32_t>(counters[place]), temperature};

  // The parameters are the row's, so all threads of the block take the same branch.
  RankedIndex best = 0;
  if (!(temperature > 0.0f)) {
    row.for_each_quad([&](int index, const float(&values)[4]) {
      const RankedIndex candidate = best_of_quad(index, values);
      best = candidate > best ? candidate : best;
    });
  } else if (!request.limits_k && !request.limits_p) {
    row.for_each_quad([&](int index, const float(&values)[4]) {
      const RankedIndex score = draw.from_quad(index, values);
      best = score > best ? score : best;
    });
  } else {
    best = draw_filtered(row, request, draw, scratch);
  }
  best = block_best<kSampleThreads>(best, scratch.best);
  if (threadIdx.x == 0) ids[place] = best == 0 ? 0 : index_of(best);  // 0 when no logit is a number
}

void launch_sample(const OpCall& call) {
  const TensorView& logits = call.tensor(0);
  if (logits.size() == 0) return;
  const unsigned rows = static_cast<unsigned>(logits.shape[0]);
  const int vocabulary = static_cast<int>(logits.shape[1]);
  dispatch_float(logits.dtype, "sample", [&](auto tag) {
    using T = typename decltype(tag)::type;
    sample_kernel<T><<<rows, kSampleThreads, 0, static_cast<cudaStream_t>(call.stream)>>>(
        logits.as<const T>(), call.tensor(1).as<const float>(), call.tensor(2).as<const int32_t>(),
        call.tensor(3).as<const int32_t>(), call.tensor(4).as<int32_t>(), vocabulary);
    LIMEN_CHECK_LAUNCH(sample_kernel);
  });
}

}  // namespace

REGISTER_CUDA_OP(sample, launch_sample);

}  // namespace limen
