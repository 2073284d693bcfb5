// decode_layers in the plainest way, kernel after kernel: for weights and pages that the copy engine cannot take, for
// batches, heads and devices that the fast way does not know. Right for everything, and slow.

#pragma once

#include "device/launch.cuh"
#include "device/projection.cuh"
#include "device/reduce.cuh"
#include "kernels/decode_layers_common.cuh"

namespace limen {

// y[b, n] = scale[n] · Σ x[b, k] · norm[k] · weight[n, k] / rms(x[b]) + residual[b, n]; warp ↔ one sum.
template <typename T, typename W>
__global__ void plain_project_kernel(const T* x, const W* weight, const float* scales, const T* norm, const T* residual,
                                     T* y, int rows, int length, float epsilon) {
  const int n = blockIdx.x * 8 + threadIdx.x / 32, lane = threadIdx.x % 32;
  const int64_t row = blockIdx.y;
  if (n >= rows) return;
  float sum = 0.0f, square = 0.0f;
  for (int k = lane; k < length; k += 32) {
    float value = to_float(x[row * length + k]);
    square = fmaf(value, value, square);
    if (norm != nullptr) value = round_to<T>(value * to_float(norm[k]));
    sum = fmaf(value, to_float(weight[int64_t{n} * length + k]), sum);
  }
  sum = warp_sum(sum);
  square = warp_sum(square);
  if (lane != 0) return;
  if (norm != nullptr) sum *= rsqrtf(square / static_cast<float>(length) + epsilon);
  if (scales != nullptr) sum *= scales[n];
  if (residual != nullptr) sum += to_float(residual[row * rows + n]);
  y[row * rows + n] = from_float<T>(sum);
}

// Turns queries and keys where they are and stores keys and values; block ↔ head of a row, thread ↔ pair of channels.
template <typename T>
__global__ void plain_store_kernel(const DecodeLayersArguments<T> a, T* vectors, int layer, int head_size,
                                   const __grid_constant__ RotaryFrequencies frequencies) {
  const int head = blockIdx.x, row = blockIdx.y, pair = threadIdx.x, half = head_size / 2, width = a.heads * head_size;
  float sine, cosine;
  sincosf(__fmul_rn(static_cast<float>(a.rotary_positions[row]), frequencies.value[pair]), &sine, &cosine);
  cosine = round_to<T>(cosine), sine = round_to<T>(sine);
  const int64_t slot = a.slot_of(row);
  for (int kind = 0; kind < 3; ++kind) {
    T* const vector = vectors + (int64_t{row} * 3 + kind) * width + head * head_size;
    const float low = to_float(vector[pair]), high = to_float(vector[pair + half]);
    if (kind < 2) {
      vector[pair] = from_float<T>(low * cosine - high * sine);
      vector[pair + half] = from_float<T>(high * cosine + low * sine);
    }
    if (kind == 0 || slot < 0) continue;
    T* const cached = (kind == 1 ? a.keys : a.values) + layer * a.page_layer + slot + head * a.head;
    cached[pair] = vector[pair];
    cached[pair + half] = vector[pair + half];
  }
}

// Block ↔ head of a row, thread ↔ channel; every thread goes over all keys.
template <typename T>
__global__ void plain_attend_kernel(const DecodeLayersArguments<T> a, const T* vectors, T* attended, int layer,
                                    int head_size) {
  const int head = blockIdx.x, row = blockIdx.y, channel = threadIdx.x, width = a.heads * head_size;
  const int length = a.length_of(row);
  const T* const query = vectors + int64_t{row} * 3 * width + head * head_size;
  float highest = -INFINITY, total = 0.0f, sum = 0.0f;
  for (int position = 0; position < length; ++position) {
    const bool newest = position + 1 == length;
    const int64_t cached = layer * a.page_layer + a.place_of(row, position) + head * a.head;
    const T* const key = newest ? query + width : a.keys + cached;
    const T* const value = newest ? query + 2 * width : a.values + cached;
    float score = 0.0f;
    for (int d = 0; d < head_size; ++d) score = fmaf(to_float(query[d]), to_float(key[d]), score);
    score *= a.score_scale;
    const float top = fmaxf(highest, score), keep = exp2f(highest - top), weight = exp2f(score - top);
    total = total * keep + weight;
    sum = sum * keep + weight * to_float(value[channel]);
    highest = top;
  }
  attended[int64_t{row} * width + head * head_size + channel] = from_float<T>(length > 0 ? sum / total : 0.0f);
}

template <typename T>
__global__ void plain_gate_kernel(const T* projected, T* active, int feed_forward) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  const int64_t row = blockIdx.y;
  if (i >= feed_forward) return;
  const T* const gate = projected + row * 2 * feed_forward + i;
  active[row * feed_forward + i] = from_float<T>(silu<T>(to_float(gate[0])) * to_float(gate[feed_forward]));
}

// Bytes of scratch that the plain way takes.
template <typename T>
int64_t bytes_of_plain(const DecodeLayersArguments<T>& a, int head_size) {
  const int64_t width = int64_t{a.heads} * head_size;
  return a.batch * (4 * width + 2 * int64_t{a.hidden_size} + 3 * int64_t{a.feed_forward}) * static_cast<int64_t>(sizeof(T));
}

template <typename W, typename T>
void launch_layers_plainly(const DecodeLayersArguments<T>& a, const RotaryFrequencies& frequencies, int head_size,
                           cudaStream_t stream) {
  const int width = a.heads * head_size, batch = a.batch, channels = a.hidden_size, feed_forward = a.feed_forward;
  T* const vectors = reinterpret_cast<T*>(a.scratch);
  T* const attended = vectors + int64_t{batch} * 3 * width;
  T* const middle = attended + int64_t{batch} * width;
  T* const hidden = middle + int64_t{batch} * channels;
  T* const projected = hidden + int64_t{batch} * channels;
  T* const active = projected + int64_t{batch} * 2 * feed_forward;
  Launch launch;
  launch.stream = stream;
  for (int layer = 0; layer < a.layers; ++layer) {
    const auto project = [&](const T* x, const void* weight, const float* scales, const T* norm, const T* residual, T* y,
                             int rows, int length) {
      launch.grid = dim3(static_cast<unsigned>(ceil_div(rows, 8)), static_cast<unsigned>(batch));
      launch.block = dim3(256);
      launch_kernel(launch, plain_project_kernel<T, W>, x, static_cast<const W*>(weight) + int64_t{layer} * rows * length,
                    scales == nullptr ? nullptr : scales + int64_t{layer} * rows,
                    norm == nullptr ? nullptr : norm + int64_t{layer} * channels, residual, y, rows, length, a.epsilon);
    };
    const T* const x = layer == 0 ? a.x : hidden;
    project(x, a.weights.query_key_value, a.query_key_value_scales, a.attention_norm, nullptr, vectors, 3 * width, channels);
    launch.grid = dim3(static_cast<unsigned>(a.heads), static_cast<unsigned>(batch));
    launch.block = dim3(static_cast<unsigned>(head_size / 2));
    launch_kernel(launch, plain_store_kernel<T>, a, vectors, layer, head_size, frequencies);
    launch.block = dim3(static_cast<unsigned>(head_size));
    launch_kernel(launch, plain_attend_kernel<T>, a, vectors, attended, layer, head_size);
    project(attended, a.weights.output, a.output_scales, nullptr, x, middle, channels, width);
    project(middle, a.weights.gate_up, a.gate_up_scales, a.mlp_norm, nullptr, projected, 2 * feed_forward, channels);
    launch.grid = dim3(static_cast<unsigned>(ceil_div(feed_forward, 256)), static_cast<unsigned>(batch));
    launch.block = dim3(256);
    launch_kernel(launch, plain_gate_kernel<T>, projected, active, feed_forward);
    project(active, a.weights.down, a.down_scales, nullptr, middle, layer + 1 == a.layers ? a.y : hidden, channels,
            feed_forward);
  }
}

}  // namespace limen
