// group_norm: y = act((x − mean) / √(variance + eps) · weight + bias), statistics per image over all pixels and the
// C / G neighbouring channels of a group; act is nothing or silu.
//
//   x       [B, H, W, C]  f32 | f16 | bf16  contiguous, channels last, any alignment (16 bytes is fast)
//   weight  [C]           dtype of x
//   bias    [C]           dtype of x
//   y       [B, H, W, C]  dtype of x; may be x itself
//
// Launch: three passes over B images × P runs of pixels, P chosen so that about a thousand blocks of 256 threads
// share the work however large the image.
//   1. group_norm_partial: mean and sum of squared distances of each group in each run → workspace
//   2. group_norm_merge: one warp per group merges its runs → mean and 1/σ in the workspace
//   3. group_norm_apply: normalises; a thread keeps the constants of its channels in registers and walks down the run
// Accuracy: a run's sums are taken around its own first value, and runs are merged by their means, so a mean far
// from zero costs no digits; all in f32. No atomics: the result is the same every time.
// Shared memory: 8 bytes per thread and vector element (16 KiB). Bound by memory: x is read twice, the second time
// often from L2. Channels that do not form whole vectors take a slower scalar path.
// Source: https://arxiv.org/abs/1803.08494

#include <numeric>

#include "core/cuda_check.h"
#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/activation.cuh"
#include "device/reduce.cuh"
#include "device/row_slices.cuh"

namespace limen {
namespace {

constexpr int kThreads = 256;

// How the work is shared out. A block holds `lanes` pixels side by side, `vectors` threads on each; when a pixel is
// longer than a block, the block walks over it in rounds. A part is what one sum covers: a whole group, or, so that
// no part straddles two rounds, an even share of it.
struct Partition {
  int64_t pixels;  // per image
  int64_t channels;
  int64_t groups;
  int64_t runs;            // P
  int64_t pixels_per_run;  // the last run may be shorter
  int vectors;             // of a pixel, covered at a time; at most kThreads
  int lanes;
  int part_channels;

  __host__ __device__ int64_t parts() const { return channels / part_channels; }
  __host__ __device__ int64_t channels_per_group() const { return channels / groups; }
};

Partition partition_of(const TensorView& x, int64_t groups, int width) {
  Partition partition{};
  partition.pixels = x.shape[1] * x.shape[2];
  partition.channels = x.shape[3];
  partition.groups = groups;
  const int64_t vectors = partition.channels / width;
  partition.vectors = static_cast<int>(vectors < kThreads ? vectors : kThreads);
  partition.lanes = kThreads / partition.vectors;
  const int64_t per_group = partition.channels_per_group();
  const int64_t shared_out = std::gcd(per_group, int64_t{kThreads} * width);
  partition.part_channels = static_cast<int>(vectors <= kThreads ? per_group : shared_out);
  const int64_t wanted = 1024 / x.shape[0] + 1;
  const int64_t possible = (partition.pixels + 2 * partition.lanes - 1) / (2 * partition.lanes);
  const int64_t runs = wanted < possible ? wanted : possible;
  partition.pixels_per_run = (partition.pixels + runs - 1) / runs;
  partition.runs = (partition.pixels + partition.pixels_per_run - 1) / partition.pixels_per_run;
  return partition;
}

// Grid: (runs, images). Thread t works on vector t % vectors of pixel lane t / vectors.
template <typename T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    group_norm_partial_kernel(const T* __restrict__ x, float2* __restrict__ partial, const Partition partition) {
  __shared__ float sums[kThreads * kWidth];
  __shared__ float squares[kThreads * kWidth];
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
    for (int part = threadIdx.x / 32; part < parts; part += kThreads / 32) {
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

// One warp per (image, group), four per block.
__global__ void __launch_bounds__(128)
    group_norm_merge_kernel(const float2* __restrict__ partial, float2* __restrict__ moments, int64_t images,
                            const Partition partition, float eps) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (row >= images * partition.groups) return;  // whole warps leave
  const int64_t entries = partition.parts() / partition.groups * partition.runs;  // [parts of the group][P]
  const float2* entry = partial + row * entries;
  const float full_count = static_cast<float>(partition.pixels_per_run * partition.part_channels);
  const float last_count = static_cast<float>(
      (partition.pixels - (partition.runs - 1) * partition.pixels_per_run) * partition.part_channels);
  const float total = static_cast<float>(partition.pixels * partition.channels_per_group());

  // Distances from the first mean keep the sum small; the origin is added back at the end.
  const float origin = entry[0].x;
  float sum = 0.0f;
  for (int64_t at = threadIdx.x; at < entries; at += 32) {
    const float count = at % partition.runs == partition.runs - 1 ? last_count : full_count;
    sum = fmaf(count, entry[at].x - origin, sum);
  }
  const float mean = origin + warp_sum(sum) / total;
  float squares = 0.0f;
  for (int64_t at = threadIdx.x; at < entries; at += 32) {
    const float count = at % partition.runs == partition.runs - 1 ? last_count : full_count;
    const float distance = entry[at].x - mean;
    squares += fmaf(count, distance * distance, entry[at].y);
  }
  squares = warp_sum(squares);
  if (threadIdx.x == 0) moments[row] = make_float2(mean, rsqrtf(squares / total + eps));
}

// Grid as pass 1. y may be x itself: each element is read and written by one thread.
template <typename T, int kWidth, bool kSilu>
__global__ void __launch_bounds__(kThreads)
    group_norm_apply_kernel(const T* x, const T* __restrict__ weight, const T* __restrict__ bias, T* y,
                            const float2* __restrict__ moments, const Partition partition) {
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
void launch_passes(const OpCall& call, const Partition& partition) {
  const TensorView& x = call.tensor(0);
  const cudaStream_t stream = static_cast<cudaStream_t>(call.stream);
  const int64_t images = x.shape[0];
  // Workspace: partial[B][parts][P] (mean, squared distances), then moments[B][G] (mean, 1/σ).
  float2* partial = static_cast<float2*>(call.workspace);
  float2* moments = partial + images * partition.parts() * partition.runs;
  const dim3 grid(static_cast<unsigned>(partition.runs), static_cast<unsigned>(images));
  group_norm_partial_kernel<T, kWidth><<<grid, kThreads, 0, stream>>>(x.as<const T>(), partial, partition);
  LIMEN_CHECK_LAUNCH(group_norm_partial_kernel);

  const unsigned merge_blocks = static_cast<unsigned>((images * partition.groups + 3) / 4);
  group_norm_merge_kernel<<<merge_blocks, dim3(32, 4), 0, stream>>>(partial, moments, images, partition,
                                                                    static_cast<float>(call.number(1)));
  LIMEN_CHECK_LAUNCH(group_norm_merge_kernel);

  const T* weight = call.tensor(1).as<const T>();
  const T* bias = call.tensor(2).as<const T>();
  T* y = call.tensor(3).as<T>();
  if (call.integer(2) == 1) {
    group_norm_apply_kernel<T, kWidth, true>
        <<<grid, kThreads, 0, stream>>>(x.as<const T>(), weight, bias, y, moments, partition);
  } else {
    group_norm_apply_kernel<T, kWidth, false>
        <<<grid, kThreads, 0, stream>>>(x.as<const T>(), weight, bias, y, moments, partition);
  }
  LIMEN_CHECK_LAUNCH(group_norm_apply_kernel);
}

// The path is chosen by alignment, which this function does not look at: it asks for the larger of the two needs.
size_t workspace_of_group_norm(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  if (x.size() == 0) return 0;
  const int64_t groups = call.integer(0);
  int64_t most = 0;
  for (const int width : {1, 16 / static_cast<int>(size_of(x.dtype))}) {
    if (x.shape[3] % width != 0) continue;
    const Partition partition = partition_of(x, groups, width);
    const int64_t entries = partition.parts() * partition.runs;
    most = entries > most ? entries : most;
  }
  return static_cast<size_t>(x.shape[0] * (most + groups)) * sizeof(float2);
}

void launch_group_norm(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  if (x.size() == 0) return;
  const int64_t groups = call.integer(0);
  bool aligned = true;
  for (int index = 0; index < 4; ++index) aligned = aligned && is_aligned16(call.tensor(index).data);
  dispatch_float(x.dtype, "group_norm", [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (aligned && is_vector_multiple<T>(x.shape[3])) {
      launch_passes<T, kVectorWidth<T>>(call, partition_of(x, groups, kVectorWidth<T>));
    } else {
      launch_passes<T, 1>(call, partition_of(x, groups, 1));
    }
  });
}

}  // namespace

REGISTER_CUDA_OP(group_norm, launch_group_norm, workspace_of_group_norm);

}  // namespace limen
