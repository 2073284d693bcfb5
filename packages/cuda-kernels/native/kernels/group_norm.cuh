// Group norm in three passes, for group_norm.cu and norm_conv2d.cu.
//
// The first two take statistics of B images × P runs of pixels, P chosen so that about a thousand blocks of 256
// threads share the work however large the image: mean and sum of squared distances of each group in each run, then a
// block for each group merges its runs into a mean and 1/σ. In the third a thread keeps the constants of its channels
// in registers and walks down a run of pixels.
// Accuracy: a run's sums are taken around its own first value, and runs are merged by their means, so a mean far
// from zero costs no digits; all in f32. No atomics: the result is the same every time.
// Shared memory: 8 bytes per thread and vector element (16 KiB).

#pragma once

#include <numeric>

#include "core/tensor_view.h"
#include "device/activation.cuh"
#include "device/launch.cuh"
#include "device/reduce.cuh"
#include "device/row_slices.cuh"

namespace limen {

inline constexpr int kNormThreads = 256;

// How the work is shared out. A block holds `lanes` pixels side by side, `vectors` threads on each; when a pixel is
// longer than a block, the block walks over it in rounds. A part is what one sum covers: a whole group, or, so that
// no part straddles two rounds, an even share of it.
struct NormPartition {
  int64_t pixels;  // per image
  int64_t channels;
  int64_t groups;
  int64_t runs;            // P
  int64_t pixels_per_run;  // the last run may be shorter
  int vectors;             // of a pixel, covered at a time; at most kNormThreads
  int lanes;
  int part_channels;

  __host__ __device__ int64_t parts() const { return channels / part_channels; }
  __host__ __device__ int64_t channels_per_group() const { return channels / groups; }
};

inline NormPartition norm_partition(const TensorView& x, int64_t groups, int width) {
  NormPartition partition{};
  partition.pixels = x.shape[1] * x.shape[2];
  partition.channels = x.shape[3];
  partition.groups = groups;
  const int64_t vectors = partition.channels / width;
  partition.vectors = static_cast<int>(vectors < kNormThreads ? vectors : kNormThreads);
  partition.lanes = kNormThreads / partition.vectors;
  const int64_t per_group = partition.channels_per_group();
  const int64_t shared_out = std::gcd(per_group, int64_t{kNormThreads} * width);
  partition.part_channels = static_cast<int>(vectors <= kNormThreads ? per_group : shared_out);
  const int64_t wanted = 1024 / x.shape[0] + 1;
  const int64_t possible = (partition.pixels + 2 * partition.lanes - 1) / (2 * partition.lanes);
  const int64_t runs = wanted < possible ? wanted : possible;
  partition.pixels_per_run = (partition.pixels + runs - 1) / runs;
  partition.runs = (partition.pixels + partition.pixels_per_run - 1) / partition.pixels_per_run;
  return partition;
}

// Grid: (runs, images). Thread t works on vector t % vectors of pixel lane t / vectors.
template <typename T, int kWidth>
__global__ void __launch_bounds__(kNormThreads)
    group_norm_partial_kernel(const T* __restrict__ x, float2* __restrict__ partial, const NormPartition partition) {
  __shared__ float sums[kNormThreads * kWidth];
  __shared__ float squares[kNormThreads * kWidth];
  wait_for_upstream();
  let_downstream_start();
  const int64_t image = blockIdx.y;
  const int64_t first_pixel = blockIdx.x * partition.pixels_per_run;
  const int64_t run_end = first_pixel + partition.pixels_per_run;
  const int64_t end_pixel = run_end < partition.pixels ? run_end : partition.pixels;
  const T* run = x + (image * partition.pixels + first_pixel) * partition.channels;
  const int64_t run_pixels = end_pixel - first_pixel;
  const int part_channels = partition.part_channels;
  const int lane = threadIdx.x / partition.vectors;
  const int column = threadIdx.x - lane * partition.vectors;
  const bool active = lane < partition.lanes;

  // One round covers vectors · kWidth channels: all of them, unless a pixel is longer than a block.
  const int64_t channels_per_round = static_cast<int64_t>(partition.vectors) * kWidth;
  for (int64_t start = 0; start < partition.channels; start += channels_per_round) {
    const int64_t channel = start + static_cast<int64_t>(column) * kWidth;
    float sum[kWidth] = {};
    float square[kWidth] = {};
    if (active && channel < partition.channels) {
      float shift[kWidth];  // the part's first value in this run, common to all threads of the part
#pragma unroll
      for (int i = 0; i < kWidth; ++i) shift[i] = to_float(run[(channel + i) / part_channels * part_channels]);
#pragma unroll 4
      for (int64_t pixel = lane; pixel < run_pixels; pixel += partition.lanes) {
        float values[kWidth];
        load_vector<kWidth>(run + pixel * partition.channels + channel, values);
#pragma unroll
        for (int i = 0; i < kWidth; ++i) {
          const float distance = values[i] - shift[i];
          sum[i] += distance;
          square[i] = fmaf(distance, distance, square[i]);
        }
      }
    }
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      sums[threadIdx.x * kWidth + i] = sum[i];
      squares[threadIdx.x * kWidth + i] = square[i];
    }
    __syncthreads();  // sums of all threads stand in shared memory, [lane][channel of this round]

    // A warp per part adds up the part's channels over the lanes.
    const int64_t rest = partition.channels - start;
    const int parts = static_cast<int>((rest < channels_per_round ? rest : channels_per_round) / part_channels);
    for (int part = threadIdx.x / 32; part < parts; part += kNormThreads / 32) {
      float part_sum = 0.0f;
      float part_square = 0.0f;
      for (int item = threadIdx.x % 32; item < part_channels * partition.lanes; item += 32) {
        const int from_lane = item / part_channels;
        const int from_channel = part * part_channels + item - from_lane * part_channels;
        const int at = from_lane * static_cast<int>(channels_per_round) + from_channel;
        part_sum += sums[at];
        part_square += squares[at];
      }
      part_sum = warp_sum(part_sum);
      part_square = warp_sum(part_square);
      if (threadIdx.x % 32 == 0) {
        const float mean = part_sum / (static_cast<float>(run_pixels) * static_cast<float>(part_channels));
        const int64_t absolute = start / part_channels + part;
        partial[(image * partition.parts() + absolute) * partition.runs + blockIdx.x] =
            make_float2(to_float(run[absolute * part_channels]) + mean, fmaxf(part_square - part_sum * mean, 0.0f));
      }
    }
    __syncthreads();  // the next round overwrites the sums
  }
}

// A block per (image, group).
static __global__ void __launch_bounds__(kNormThreads)
    group_norm_merge_kernel(const float2* __restrict__ partial, float2* __restrict__ moments,
                            const NormPartition partition, float eps) {
  wait_for_upstream();
  let_downstream_start();
  const int64_t row = blockIdx.x;
  const int64_t entries = partition.parts() / partition.groups * partition.runs;  // [parts of the group][P]
  const float2* entry = partial + row * entries;
  const float full_count = static_cast<float>(partition.pixels_per_run * partition.part_channels);
  const float last_count = static_cast<float>(
      (partition.pixels - (partition.runs - 1) * partition.pixels_per_run) * partition.part_channels);
  const float total = static_cast<float>(partition.pixels * partition.channels_per_group());

  // Distances from the first mean keep the sum small; the origin is added back at the end.
  const float origin = entry[0].x;
  float sum = 0.0f;
  for (int64_t at = threadIdx.x; at < entries; at += kNormThreads) {
    const float count = at % partition.runs == partition.runs - 1 ? last_count : full_count;
    sum = fmaf(count, entry[at].x - origin, sum);
  }
  const float mean = origin + block_sum<kNormThreads>(sum) / total;
  float squares = 0.0f;
  for (int64_t at = threadIdx.x; at < entries; at += kNormThreads) {
    const float count = at % partition.runs == partition.runs - 1 ? last_count : full_count;
    const float distance = entry[at].x - mean;
    squares += fmaf(count, distance * distance, entry[at].y);
  }
  squares = block_sum<kNormThreads>(squares);
  if (threadIdx.x == 0) moments[row] = make_float2(mean, rsqrtf(squares / total + eps));
}

// Bytes of workspace that statistics need, whichever way alignment lets them be taken: [B][G] moments, then
// [B][parts][P] partial sums.
inline size_t norm_workspace(const TensorView& x, int64_t groups) {
  int64_t most = 0;
  for (const int width : {1, 16 / static_cast<int>(size_of(x.dtype))}) {
    if (x.shape[3] % width != 0) continue;
    const NormPartition partition = norm_partition(x, groups, width);
    const int64_t entries = partition.parts() * partition.runs;
    most = entries > most ? entries : most;
  }
  return static_cast<size_t>(x.shape[0] * (most + groups)) * sizeof(float2);
}

// Passes 1 and 2: mean and 1/σ of every image and group, at the start of the workspace.
template <typename T, int kWidth>
const float2* launch_statistics(const TensorView& x, const NormPartition& partition, float eps, void* workspace,
                                cudaStream_t stream) {
  const int64_t images = x.shape[0];
  float2* const moments = static_cast<float2*>(workspace);
  float2* const partial = moments + images * partition.groups;
  Launch launch;
  launch.stream = stream;
  launch.overlap = true;
  launch.block = dim3(kNormThreads);
  launch.grid = dim3(static_cast<unsigned>(partition.runs), static_cast<unsigned>(images));
  launch_kernel(launch, group_norm_partial_kernel<T, kWidth>, x.as<const T>(), partial, partition);
  launch.grid = dim3(static_cast<unsigned>(images * partition.groups));
  launch_kernel(launch, group_norm_merge_kernel, partial, moments, partition, eps);
  return moments;
}

// Pass 3. Grid: (runs, images). y may be x itself: each element is read and written by one thread.
template <typename T, int kWidth, bool kSilu>
__global__ void __launch_bounds__(kNormThreads)
    group_norm_apply_kernel(const T* x, const T* __restrict__ weight, const T* __restrict__ bias, T* y,
                            const float2* __restrict__ moments, const NormPartition partition) {
  wait_for_upstream();
  let_downstream_start();
  const int64_t image = blockIdx.y;
  const int64_t first_pixel = blockIdx.x * partition.pixels_per_run;
  const int64_t run_end = first_pixel + partition.pixels_per_run;
  const int64_t end_pixel = run_end < partition.pixels ? run_end : partition.pixels;
  const int64_t per_group = partition.channels_per_group();
  const int lane = threadIdx.x / partition.vectors;
  const int column = threadIdx.x - lane * partition.vectors;
  if (lane >= partition.lanes) return;

  for (int64_t channel = static_cast<int64_t>(column) * kWidth; channel < partition.channels;
       channel += static_cast<int64_t>(partition.vectors) * kWidth) {
    float mean[kWidth];
    float scale[kWidth];
    float shift[kWidth];
    load_vector<kWidth>(weight + channel, scale);
    load_vector<kWidth>(bias + channel, shift);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      const float2 moment = moments[image * partition.groups + (channel + i) / per_group];
      mean[i] = moment.x;
      scale[i] *= moment.y;
    }
    // Two pixels at a time: both loads are on their way before the first store, which might alias the second load.
    const T* source = x + image * partition.pixels * partition.channels + channel;
    T* target = y + image * partition.pixels * partition.channels + channel;
    for (int64_t pixel = first_pixel + lane; pixel < end_pixel; pixel += 2 * partition.lanes) {
      const int64_t places[2] = {pixel * partition.channels, (pixel + partition.lanes) * partition.channels};
      const bool both = pixel + partition.lanes < end_pixel;
      float values[2][kWidth];
      load_vector<kWidth>(source + places[0], values[0]);
      if (both) load_vector<kWidth>(source + places[1], values[1]);
#pragma unroll
      for (int which = 0; which < 2; ++which) {
        if (which == 1 && !both) break;
#pragma unroll
        for (int i = 0; i < kWidth; ++i) {
          const float normalised = fmaf(values[which][i] - mean[i], scale[i], shift[i]);
          values[which][i] = kSilu ? silu<T>(normalised) : normalised;
        }
        store_vector<kWidth>(target + places[which], values[which]);
      }
    }
  }
}

template <typename T, int kWidth>
void launch_apply(const TensorView& x, const NormPartition& partition, const float2* moments, const void* weight,
                  const void* bias, void* y, bool silu, cudaStream_t stream) {
  Launch launch;
  launch.stream = stream;
  launch.overlap = true;
  launch.block = dim3(kNormThreads);
  launch.grid = dim3(static_cast<unsigned>(partition.runs), static_cast<unsigned>(x.shape[0]));
  const auto kernel = silu ? group_norm_apply_kernel<T, kWidth, true> : group_norm_apply_kernel<T, kWidth, false>;
  launch_kernel(launch, kernel, x.as<const T>(), static_cast<const T*>(weight), static_cast<const T*>(bias),
                static_cast<T*>(y), moments, partition);
}

// All three, or the first two when `y` is null. Returns the moments, at the start of the workspace.
template <typename T>
const float2* launch_group_norm_passes(const TensorView& x, const void* weight, const void* bias, void* y,
                                       int64_t groups, float eps, bool silu, void* workspace, cudaStream_t stream) {
  const auto run = [&](auto width) {
    constexpr int kWidth = decltype(width)::value;
    const NormPartition partition = norm_partition(x, groups, kWidth);
    const float2* const moments = launch_statistics<T, kWidth>(x, partition, eps, workspace, stream);
    if (y != nullptr) launch_apply<T, kWidth>(x, partition, moments, weight, bias, y, silu, stream);
    return moments;
  };
  const bool aligned = is_aligned16(x.data) && is_aligned16(weight) && is_aligned16(bias) && is_aligned16(y);
  if (aligned && is_vector_multiple<T>(x.shape[3])) return run(std::integral_constant<int, kVectorWidth<T>>{});
  return run(std::integral_constant<int, 1>{});
}

}  // namespace limen
