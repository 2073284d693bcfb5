// What the two appends share: rotate a token's queries and keys, bring keys and values into their storage format, and
// write them into their page. One pass over the token, where separate ops would read and write it three times.
//
// Geometry: block of 256 threads ↔ some of the H + 2K vectors of one token; 8 elements a lane, so a vector of 128 takes
// 16 lanes. Cosines and sines of the token's position are made once per block in shared memory (2 KiB), while the
// vectors are on their way.

#pragma once

#include <algorithm>

#include "core/op_registry.h"
#include "device/launch.cuh"
#include "device/rotary.cuh"
#include "device/storage_format.cuh"
#include "device/vector_io.cuh"

namespace limen {

inline constexpr int kAppendThreads = 256;
inline constexpr int kMostAppendHeadSize = 256;

enum class Rotary : int { kNone = 0, kHalf = 1, kInterleaved = 2 };

// Pages of keys or of values as the logical [G, P, K, E]; strides in bytes.
struct AppendTarget {
  char *pages, *scales;
  int64_t page, slot, head, scale_page, scale_slot, scale_head;
};
// q, k or v as [B, T, heads, D] with D contiguous; strides in elements.
struct AppendSource {
  void* data;
  int64_t batch, token, head;
};

struct AppendArguments {
  AppendSource q, k, v;
  AppendTarget keys, values;
  const int *page_table, *positions, *rotary_positions;
  int tokens, heads, key_heads, head_size, lanes, page_size, pages_per_sequence;
  int64_t pages;
  Rotary rotary;
};

// Eight elements from channel `first` on; those past the end are zeros. kVector: sixteen-byte loads are legal.
template <typename T, bool kVector>
__device__ __forceinline__ void load_channels(const T* vector, int first, int channels, float (&x)[8]) {
  if constexpr (kVector) {
#pragma unroll
    for (int part = 0; part < 8; part += kVectorWidth<T>) {
      float values[kVectorWidth<T>] = {};
      if (first < channels) load16(vector + first + part, values);
#pragma unroll
      for (int i = 0; i < kVectorWidth<T>; ++i) x[part + i] = values[i];
    }
  } else {
#pragma unroll
    for (int i = 0; i < 8; ++i) x[i] = first + i < channels ? to_float(vector[first + i]) : 0.0f;
  }
}

// Turns the lane's eight channels; `vector` still holds what the other lanes have.
template <typename T, bool kVector>
__device__ __forceinline__ void rotate_channels(Rotary rotary, int pairs, const float* cosines, const float* sines,
                                                int first, const float (&partner)[8], float (&x)[8]) {
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int channel = first + i;
    if (rotary == Rotary::kHalf) {
      if (channel >= 2 * pairs) continue;
      const bool low = channel < pairs;
      const float cosine = cosines[low ? channel : channel - pairs], sine = sines[low ? channel : channel - pairs];
      x[i] = low ? x[i] * cosine - partner[i] * sine : x[i] * cosine + partner[i] * sine;
    } else if (i % 2 == 0 && channel < 2 * pairs) {
      const float cosine = cosines[channel / 2], sine = sines[channel / 2], even = x[i];
      x[i] = even * cosine - x[i + 1] * sine;
      x[i + 1] = x[i + 1] * cosine + even * sine;
    }
  }
}

template <typename T, bool kVector>
__device__ __forceinline__ void load_partners(const T* vector, int pairs, int first, float (&partner)[8]) {
  if constexpr (kVector) {  // halves are multiples of eight channels
    if (first < 2 * pairs) load_channels<T, true>(vector, first < pairs ? first + pairs : first - pairs, 2 * pairs, partner);
  } else {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int channel = first + i;
      if (channel < 2 * pairs) partner[i] = to_float(vector[channel < pairs ? channel + pairs : channel - pairs]);
    }
  }
}

template <StorageFormat kFormat, bool kVector>
__device__ __forceinline__ void store_stored(char* vector, int first, int channels, const StoredEight<kFormat>& stored) {
  if constexpr (kVector) {
    if (first < channels) store_eight<kFormat>(vector + stored_bytes(kFormat, first), stored);
  } else {
    const auto* const bytes = reinterpret_cast<const char*>(stored.words);
    const int64_t begin = stored_bytes(kFormat, first), end = stored_bytes(kFormat, min(first + 8, channels));
#pragma unroll
    for (int i = 0; i < static_cast<int>(stored_bytes(kFormat, 8)); ++i) {
      if (begin + i < end) vector[begin + i] = bytes[i];
    }
  }
}

template <StorageFormat kFormat, typename T, bool kVector>
__global__ void __launch_bounds__(kAppendThreads)
    kv_append_kernel(const AppendArguments a, const __grid_constant__ RotaryFrequencies frequencies) {
  __shared__ float cosines[kMaxRotaryPairs], sines[kMaxRotaryPairs];
  wait_for_upstream();
  let_downstream_start();
  const int64_t token = blockIdx.x, batch = token / a.tokens, t = token % a.tokens;
  const int vector = static_cast<int>(blockIdx.y) * (kAppendThreads / a.lanes) + static_cast<int>(threadIdx.x) / a.lanes;
  const int first = static_cast<int>(threadIdx.x) % a.lanes * 8;
  const bool is_q = vector < a.heads, is_k = !is_q && vector < a.heads + a.key_heads;
  const bool present = vector < a.heads + 2 * a.key_heads;
  const int head = is_q ? vector : is_k ? vector - a.heads : vector - a.heads - a.key_heads;
  const AppendSource& from = is_q ? a.q : is_k ? a.k : a.v;
  T* const source = static_cast<T*>(from.data) + batch * from.batch + t * from.token + head * from.head;
  const bool turned = a.rotary != Rotary::kNone && present && (is_q || is_k);

  // What is read from memory is asked for at once; the angles are made meanwhile.
  const int position = a.positions[token];
  const int place = position / a.page_size;
  bool stored = present && !is_q && position >= 0 && place < a.pages_per_sequence;
  const int page = stored ? a.page_table[batch * a.pages_per_sequence + place] : -1;
  stored = stored && page >= 0 && page < a.pages;
  const int slot = stored ? position % a.page_size : 0;
  float x[8] = {}, partner[8] = {};
  if (present) load_channels<T, kVector>(source, first, a.head_size, x);
  if (turned && a.rotary == Rotary::kHalf) load_partners<T, kVector>(source, frequencies.pairs, first, partner);
  if (a.rotary != Rotary::kNone) {
    fill_rotation<T>(frequencies, a.rotary_positions[token], cosines, sines);  // also: every lane has loaded
    if (turned) rotate_channels<T, kVector>(a.rotary, frequencies.pairs, cosines, sines, first, partner, x);
  }
  if (present && is_q) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      if constexpr (!kVector) {
        if (first + i < a.head_size) source[first + i] = from_float<T>(x[i]);
      } else if (i % kVectorWidth<T> == 0 && first < a.head_size) {
        float values[kVectorWidth<T>];
#pragma unroll
        for (int j = 0; j < kVectorWidth<T>; ++j) values[j] = x[i + j];
        store16(source + first + i, values);
      }
    }
  }

  Scales scales = {};
  if constexpr (has_scales(kFormat)) {
    Range<kFormat> range;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      x[i] = round_to<T>(x[i]);  // as if the rotated key had been stored in between
      if (first + i < a.head_size) range.include(x[i]);
    }
    range.reduce(a.lanes);  // whole warps come here
    scales = range.scales();
  }
  if (!stored) return;
  const AppendTarget& target = is_k ? a.keys : a.values;
  store_stored<kFormat, kVector>(target.pages + page * target.page + slot * target.slot + head * target.head, first,
                                 a.head_size, encode_eight<kFormat>(x, scales));
  if constexpr (has_scales(kFormat)) {
    if (first == 0) {
      store_scales<kFormat>(target.scales + page * target.scale_page + slot * target.scale_slot + head * target.scale_head,
                            scales);
    }
  }
}

struct AppendOperands {
  const TensorView &k, &v, &keys, &values, &table, &positions;
  const TensorView *key_scales, *value_scales, *q, *rotary_positions;
  int rotary;
  double base;
  int64_t rotary_dimensions;
};

inline AppendSource append_source(const TensorView& x) { return {x.data, x.stride[0], x.stride[1], x.stride[2]}; }
inline AppendTarget append_target(const TensorView& pages, const TensorView* scales) {
  const int64_t size = static_cast<int64_t>(size_of(pages.dtype));
  AppendTarget target = {};
  target.pages = pages.as<char>();
  target.page = pages.stride[0] * size, target.slot = pages.stride[1] * size, target.head = pages.stride[2] * size;
  if (scales != nullptr) {
    const int64_t scale_size = static_cast<int64_t>(size_of(scales->dtype));
    target.scales = scales->as<char>();
    target.scale_page = scales->stride[0] * scale_size, target.scale_slot = scales->stride[1] * scale_size;
    target.scale_head = scales->stride[2] * scale_size;
  }
  return target;
}

template <StorageFormat kFormat, typename T>
void launch_append_typed(const OpCall& call, const AppendOperands& o) {
  AppendArguments a = {};
  a.k = append_source(o.k), a.v = append_source(o.v);
  if (o.q != nullptr) a.q = append_source(*o.q);
  a.keys = append_target(o.keys, o.key_scales), a.values = append_target(o.values, o.value_scales);
  a.page_table = o.table.as<int>(), a.positions = o.positions.as<int>();
  a.rotary_positions = o.rotary_positions != nullptr ? o.rotary_positions->as<int>() : a.positions;
  a.tokens = static_cast<int>(o.k.shape[1]);
  a.heads = o.q != nullptr ? static_cast<int>(o.q->shape[2]) : 0;
  a.key_heads = static_cast<int>(o.k.shape[2]);
  a.head_size = static_cast<int>(o.k.shape[3]);
  a.page_size = static_cast<int>(o.keys.shape[1]);
  a.pages_per_sequence = static_cast<int>(o.table.shape[1]);
  a.pages = o.keys.shape[0];
  a.rotary = static_cast<Rotary>(o.rotary);
  a.lanes = 1;
  while (a.lanes * 8 < a.head_size) a.lanes *= 2;
  const int64_t rotary = a.rotary == Rotary::kNone ? 0 : o.rotary_dimensions == 0 ? a.head_size : o.rotary_dimensions;
  const RotaryFrequencies& frequencies = rotary_frequencies(call.name, o.base, rotary);
  const int64_t wide = std::min<int64_t>(16, stored_bytes(kFormat, 8));
  const bool vector = a.head_size % 8 == 0 && (a.rotary != Rotary::kHalf || frequencies.pairs % 8 == 0) &&
                      rows_stand_on(o.k, 16) && rows_stand_on(o.v, 16) &&
                      (o.q == nullptr || rows_stand_on(*o.q, 16)) && rows_stand_on(o.keys, wide) &&
                      rows_stand_on(o.values, wide);
  Launch launch;
  launch.grid = dim3(static_cast<unsigned>(o.k.shape[0] * o.k.shape[1]),
                     static_cast<unsigned>(ceil_div(a.heads + 2 * a.key_heads, kAppendThreads / a.lanes)));
  launch.block = dim3(kAppendThreads);
  launch.stream = static_cast<cudaStream_t>(call.stream);
  launch.overlap = true;
  if (vector) {
    launch_kernel(launch, kv_append_kernel<kFormat, T, true>, a, frequencies);
  } else {
    launch_kernel(launch, kv_append_kernel<kFormat, T, false>, a, frequencies);
  }
}

inline bool append_is_empty(const char* op, const AppendOperands& o) {
  if (o.k.shape[3] > kMostAppendHeadSize) {
    throw OpError("SHAPE_MISMATCH", std::string(op) + ": k has too large a head size: expected D ≤ 256, got " +
                                        std::to_string(o.k.shape[3]) + ".");
  }
  return o.k.size() == 0;
}

}  // namespace limen
