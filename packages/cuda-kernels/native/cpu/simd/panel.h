// Widening, narrowing, and packing of weights into panels.

#pragma once

#include "cpu/simd/kernels.h"
#include "cpu/simd/vector.h"

namespace limen::cpu::LIMEN_SIMD_TARGET {

template <typename T>
struct Tag {
  using type = T;
};

// Calls body with a tag of the storage type. Launchers have checked the type.
template <typename Body>
LIMEN_INLINE void with_type(DType type, Body&& body) {
  switch (type) {
    case DType::kF16: return body(Tag<F16>{});
    case DType::kBF16: return body(Tag<BF16>{});
    case DType::kI8: return body(Tag<int8_t>{});
    default: return body(Tag<float>{});
  }
}

template <typename Body>
LIMEN_INLINE void with_float_type(DType type, Body&& body) {
  switch (type) {
    case DType::kF16: return body(Tag<F16>{});
    case DType::kBF16: return body(Tag<BF16>{});
    default: return body(Tag<float>{});
  }
}

template <typename T>
inline void widen_row(const T* from, float* to, int64_t count) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, load(from + i));
  for (; i < count; ++i) to[i] = to_float(from[i]);
}

inline void zero_row(float* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] = 0.0f;
}

inline void widen(const void* from, DType type, float* to, int64_t count) {
  with_float_type(type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    widen_row(static_cast<const T*>(from), to, count);
  });
}

inline void narrow(const float* from, void* to, DType type, int64_t count) {
  with_float_type(type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* target = static_cast<T*>(to);
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) store(target + i, load(from + i));
    for (; i < count; ++i) from_float(from[i], target + i);
  });
}

// panel[k][n] = w[n][k] for n < columns ≤ kPanel, zero for the other n.
// A few vectors of every row are staged first: rows of w tend to lie a multiple of the cache's way size apart, and
// taking one vector of each in turn would drive their lines out before they are used up.
template <typename W>
inline void pack_panel(const W* w, int64_t stride, int64_t columns, int64_t depth, float* panel) {
  constexpr int64_t kRun = 4 * kLanes;
  constexpr int64_t kStageStride = kRun + 16;
  alignas(64) float stage[kPanel * kStageStride];
  for (int64_t column = columns; column < kPanel; ++column) zero_row(stage + column * kStageStride, kRun);
  for (int64_t k = 0; k < depth; k += kRun) {
    const int64_t run = depth - k < kRun ? depth - k : kRun;
    for (int64_t column = 0; column < columns; ++column) {
      const W* from = w + column * stride + k;
      float* row = stage + column * kStageStride;
      for (int64_t i = 0; i < run; i += kLanes) {
        __builtin_prefetch(from + kRun + i);  // too many rows for the processor's own prefetcher
        store(row + i, load_some(from + i, run - i));
      }
    }
    for (int64_t i = 0; i < run; i += kLanes) {
      const int64_t count = run - i < kLanes ? run - i : kLanes;
      for (int v = 0; v < kTileVectors; ++v) {
        Vec rows[kLanes];
#pragma GCC unroll 16
        for (int lane = 0; lane < kLanes; ++lane) rows[lane] = load(stage + (v * kLanes + lane) * kStageStride + i);
        transpose(rows);
        float* target = panel + (k + i) * kPanel + v * kLanes;
        for (int64_t j = 0; j < count; ++j) store(target + j * kPanel, rows[j]);
      }
    }
  }
}

inline void pack_panels(const void* weight, DType type, int64_t columns, int64_t depth, int64_t panel_begin,
                        int64_t panel_end, float* panels) {
  with_type(type, [&](auto tag) {
    using W = typename decltype(tag)::type;
    for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
      const int64_t first = panel * kPanel;
      const int64_t valid = columns - first < kPanel ? columns - first : kPanel;
      pack_panel(static_cast<const W*>(weight) + first * depth, depth, valid, depth, panels + first * depth);
    }
  });
}

}  // namespace limen::cpu::LIMEN_SIMD_TARGET
