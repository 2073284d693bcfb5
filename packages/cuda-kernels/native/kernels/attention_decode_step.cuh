// One tile of keys and values out of shared memory: scores, weights, and what they add to a warp's running softmax. The
// heart of decode attention on tensor cores; attention_decode_tensor.cuh explains the arithmetic.

#pragma once

#include "kernels/attention_decode_tiles.cuh"

namespace limen {

// A weight may exceed one by as many powers of two before the running maximum is brought up to date.
inline constexpr float kMaximumSlack = 8.0f;
inline constexpr float kLeastScale = 1e-30f;  // stands for 0, whose logarithm would be −∞
// The running maximum before the first key: less than any score, and −∞ less it is −∞ still, where −∞ would give NaN.
inline constexpr float kNothingSeen = -1e30f;

// Single instructions; denormal numbers count as zero, which the library's functions take three more to avoid.
__device__ __forceinline__ float power_of_two(float exponent) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(exponent));
  return power;
}
__device__ __forceinline__ float binary_logarithm(float value) {
  float logarithm;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(logarithm) : "f"(value));
  return logarithm;
}

__device__ __forceinline__ float reciprocal(float value) {
  float inverse;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(value));
  return inverse;
}

// Which channels of a head the accumulators of m-tile `m` hold: rows g and g + 8 of the fragment.
template <typename Format, int kHead>
__device__ __forceinline__ int channel_of(int m, int g, int half) {
  if constexpr (Format::kBits == 16) return m * 16 + half * 8 + g;
  if constexpr (Format::kBits == 8) return m * 16 + 2 * g + half;
  constexpr int kElements = DecodeShape<Format, kHead>::kValueElements, kPairs = kElements / 2;
  return (m / kPairs * 8 + g) * kElements + m % kPairs * 2 + half;
}

// Where in a stage a lane reads, worked out once. Offsets go through an empty instruction, or the compiler would work them
// out anew for every tile rather than keep them.
template <typename Format, int kHead>
struct FragmentPlaces {
  using Shape = DecodeShape<Format, kHead>;
  static constexpr int kRowBytes = Shape::kRowBytes;
  static constexpr bool kKept = kRowBytes >= 64;  // rows eight apart lie alike
  int key, value[2];

  __device__ __forceinline__ FragmentPlaces() {
    const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    if constexpr (Format::kBits == 16) {
      // load_matrices: lanes 8i … 8i + 7 give the rows of matrix i. Keys: rows 0 and 8 of the first eight elements, then of
      // the next eight. Values: eight channels of keys 0 … 7, the next eight, then both of keys 8 … 15.
      key = staged_at<Format, kRowBytes>(lane / 8 % 2 * 8 + lane % 8, lane / 16 * 16);
      value[0] = value[1] = staged_at<Format, kRowBytes>(lane / 16 * 8 + lane % 8, lane / 8 % 2 * 16);
    } else {
      key = staged_at<Format, kRowBytes>(g, t * Shape::kKeyBytes);
      if constexpr (Format::kBits == 8) {  // values by load_matrices too: both halves of sixteen keys, then the next chunk
        value[0] = value[1] = staged_at<Format, kRowBytes>(lane % 16, lane / 16 * 16);
      } else {
        value[0] = staged_at<Format, kRowBytes>(2 * t, g * Shape::kValueBytes);
        value[1] = staged_at<Format, kRowBytes>(2 * t + 1, g * Shape::kValueBytes);
      }
    }
    asm volatile("" : "+r"(key), "+r"(value[0]), "+r"(value[1]));
  }

  // Of k-step or m-tile `step`, or of two m-tiles of 8-bit values, whose two chunks are the neighbours `step` · 32 bytes on.
  static __device__ __forceinline__ int matrices(int base, int step) { return (base ^ step % 4 * 32) + step / 4 * 128; }
  __device__ __forceinline__ int key_at(int sub, int half, int chunk) const {
    if constexpr (kKept && Shape::kKeyBytes == 16) {
      return (key ^ chunk % 2 * 64) + chunk / 2 * 128 + (sub * 16 + half * 8) * kRowBytes;
    }
    const int lane = threadIdx.x % 32;
    return staged_at<Format, kRowBytes>(sub * 16 + half * 8 + lane / 4, (chunk * 4 + lane % 4) * Shape::kKeyBytes);
  }
  __device__ __forceinline__ int value_at(int sub, int which, int chunk) const {
    if constexpr (kKept) return value[which % 2] + chunk * 128 + (sub * 16 + which / 2 * 8) * kRowBytes;
    const int lane = threadIdx.x % 32;
    return staged_at<Format, kRowBytes>(sub * 16 + which / 2 * 8 + lane % 4 * 2 + which % 2,
                                        (chunk * 8 + lane / 4) * Shape::kValueBytes);
  }
};

// What a warp keeps of the queries in its columns. Lane 4·g + t: columns 2t and 2t + 1 of each tile.
template <int kTiles, int kHead>
struct DecodeState {
  float highest[kTiles][2], total[kTiles][2], lowest[kTiles][2];
  float sum[kTiles][kHead / 16][4];

  __device__ __forceinline__ void clear() {
    *this = {};
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) highest[tile][0] = highest[tile][1] = kNothingSeen;
  }
  // Totals of all lanes of the warp, when all keys have been taken.
  template <typename Format>
  __device__ __forceinline__ void join_lanes() {
#pragma unroll
    for (int offset = 4; offset < 32; offset *= 2) {
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          total[tile][c] += __shfl_xor_sync(kFullWarp, total[tile][c], offset);
          if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
            lowest[tile][c] += __shfl_xor_sync(kFullWarp, lowest[tile][c], offset);
          }
        }
      }
    }
  }
  // The maximum of all keys so far; −∞ before the first.
  __device__ __forceinline__ float maximum(int tile, int c) const {
    return highest[tile][c] == kNothingSeen ? -INFINITY : highest[tile][c];
  }
};

// Q^T fragments that a lane keeps in registers.
template <typename Format, int kHead, int kTiles>
struct QueryRegisters {
  using Shape = DecodeShape<Format, kHead>;
  uint32_t words[kTiles][kHead / 16][2];
  float sum[kTiles][2];  // of the elements of columns 2t and 2t + 1, for formats that need it

  __device__ __forceinline__ void read(int chunk, uint32_t (&q)[kTiles][Shape::kKeySteps][2]) const {
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int step = 0; step < Shape::kKeySteps; ++step) {
        q[tile][step][0] = words[tile][chunk * Shape::kKeySteps + step][0];
        q[tile][step][1] = words[tile][chunk * Shape::kKeySteps + step][1];
      }
    }
  }
};

// Takes the stage that begins at `keys` and holds the keys from `tile_start` on, of which those from `last` on are not seen.
// `factor` brings scores to powers of two.
template <typename Format, int kHead, int kTiles, typename Queries>
__device__ __forceinline__ void attend_tile(const char* keys, const FragmentPlaces<Format, kHead>& places,
                                            const Queries& queries, float factor, int tile_start,
                                            int last, DecodeState<kTiles, kHead>& state) {
  using Shape = DecodeShape<Format, kHead, kTiles>;
  using Compute = typename Format::Compute;
  const int g = threadIdx.x % 32 / 4;
  const char* const values = keys + Shape::kKeys * Shape::kRowBytes;

  // Two sums side by side where there is one tile: a multiplication need not wait for the one before.
  constexpr int kSums = Shape::kDepth * kTiles == 1 ? 2 : 1;
  float score[Shape::kDepth][kTiles][4] = {};
  if constexpr (Format::kKeyBias != 0.0f) {
#pragma unroll
    for (int sub = 0; sub < Shape::kDepth; ++sub) {
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
        for (int i = 0; i < 4; ++i) score[sub][tile][i] = -Format::kKeyBias * queries.sum[tile][i % 2];
      }
    }
  }
  float other[kSums == 2 ? Shape::kDepth : 1][kTiles][4] = {};
#pragma unroll
  for (int chunk = 0; chunk < Shape::kKeyChunks; ++chunk) {
    uint32_t q[kTiles][Shape::kKeySteps][2];
    queries.read(chunk, q);
#pragma unroll
    for (int sub = 0; sub < Shape::kDepth; ++sub) {
      uint32_t near[Shape::kKeyWords], far[Shape::kKeyWords];
      if constexpr (Format::kBits != 16) {
        read_staged(keys + places.key_at(sub, 0, chunk), near);
        read_staged(keys + places.key_at(sub, 1, chunk), far);
      }
#pragma unroll
      for (int step = 0; step < Shape::kKeySteps; ++step) {
        uint32_t words[4];
        if constexpr (Format::kBits == 16) {
          load_matrices(words, keys + sub * 16 * Shape::kRowBytes +
                                   FragmentPlaces<Format, kHead>::matrices(places.key, chunk * Shape::kKeySteps + step));
        } else {
          key_words<Format>(near, step, words[0], words[2]);
          key_words<Format>(far, step, words[1], words[3]);
        }
#pragma unroll
        for (int tile = 0; tile < kTiles; ++tile) {
          float(&sum)[4] = kSums == 2 && step % 2 == 1 ? other[sub * (kSums - 1)][tile] : score[sub][tile];
          mma_16x8x16<Compute>(sum, words[0], words[1], words[2], words[3], q[tile][step][0], q[tile][step][1]);
        }
      }
    }
  }
  if constexpr (kSums == 2) {
#pragma unroll
    for (int sub = 0; sub < Shape::kDepth; ++sub) {
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
        for (int i = 0; i < 4; ++i) score[sub][tile][i] += other[sub][tile][i];
      }
    }
  }
  // What a key's score is multiplied by and what is added to it: its scales, and −∞ where it is not seen.
  float2 key_scale[Shape::kDepth][2];
  float addend[Shape::kDepth][2] = {}, value_inverse[Shape::kDepth][2], value_lowest[Shape::kDepth][2];
#pragma unroll
  for (int sub = 0; sub < Shape::kDepth; ++sub) key_scale[sub][0].x = key_scale[sub][1].x = factor;
  if constexpr (Format::kScale != ScaleKind::kNone) {
    const auto* const scales = reinterpret_cast<const uint2*>(values + Shape::kKeys * Shape::kRowBytes);
#pragma unroll
    for (int sub = 0; sub < Shape::kDepth; ++sub) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const uint2 pair = scales[sub * 16 + half * 8 + g];
        key_scale[sub][half] = scale_of<Format>(pair.x);
        key_scale[sub][half].x *= factor, key_scale[sub][half].y *= factor;
        const float2 value_scale = scale_of<Format>(pair.y);
        const float scale = fmaxf(value_scale.x, kLeastScale);
        addend[sub][half] = binary_logarithm(scale);
        value_inverse[sub][half] = reciprocal(scale);
        value_lowest[sub][half] = value_scale.y;
      }
    }
  }

  if (tile_start + Shape::kKeys > last) {
#pragma unroll
    for (int sub = 0; sub < Shape::kDepth; ++sub) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        if (tile_start + sub * 16 + half * 8 + g >= last) addend[sub][half] = -INFINITY;
      }
    }
  }

  // Scores → weights. Accumulator i: key g + 8 · (i / 2), column 2t + i % 2.
  bool exceeds = false;
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
    for (int sub = 0; sub < Shape::kDepth; ++sub) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int half = i / 2, c = i % 2;
        float& value = score[sub][tile][i];
        float offset = addend[sub][half];
        if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
          offset = fmaf(queries.sum[tile][c], key_scale[sub][half].y, offset);
        }
        value = fmaf(value, key_scale[sub][half].x, offset);
        exceeds |= value > state.highest[tile][c] + kMaximumSlack;
      }
    }
  }
  if (__any_sync(kFullWarp, exceeds)) {
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        float best = state.highest[tile][c];
#pragma unroll
        for (int sub = 0; sub < Shape::kDepth; ++sub) {
          best = fmaxf(best, fmaxf(score[sub][tile][c], score[sub][tile][2 + c]));
        }
#pragma unroll
        for (int offset = 4; offset < 32; offset *= 2) best = fmaxf(best, __shfl_xor_sync(kFullWarp, best, offset));
        const float keep = power_of_two(state.highest[tile][c] - best);
        state.highest[tile][c] = best;
        state.total[tile][c] *= keep;
        state.lowest[tile][c] *= keep;
#pragma unroll
        for (int m = 0; m < kHead / 16; ++m) {
          state.sum[tile][m][c] *= keep;
          state.sum[tile][m][2 + c] *= keep;
        }
      }
    }
  }
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
#pragma unroll
      for (int sub = 0; sub < Shape::kDepth; ++sub) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          float& weight = score[sub][tile][2 * half + c];
          weight = power_of_two(weight - state.highest[tile][c]);
          if constexpr (Format::kScale == ScaleKind::kNone) {
            state.total[tile][c] += weight;
          } else {
            const float plain = weight * value_inverse[sub][half];
            state.total[tile][c] += plain;
            if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
              state.lowest[tile][c] = fmaf(plain, value_lowest[sub][half], state.lowest[tile][c]);
            }
          }
        }
      }
    }
  }

#pragma unroll
  for (int sub = 0; sub < Shape::kDepth; ++sub) {
    uint32_t weights[kTiles][2];
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
      weights[tile][0] = transpose_matrix(pack2<Compute>(score[sub][tile][0], score[sub][tile][1]));
      weights[tile][1] = transpose_matrix(pack2<Compute>(score[sub][tile][2], score[sub][tile][3]));
    }
    if constexpr (Format::kBits == 16) {
#pragma unroll
      for (int m = 0; m < kHead / 16; ++m) {
        uint32_t words[4];
        load_matrices_transposed(
            words, values + sub * 16 * Shape::kRowBytes + FragmentPlaces<Format, kHead>::matrices(places.value[0], m));
#pragma unroll
        for (int tile = 0; tile < kTiles; ++tile) {
          mma_16x8x16<Compute>(state.sum[tile][m], words[0], words[1], words[2], words[3], weights[tile][0], weights[tile][1]);
        }
      }
    } else if constexpr (Format::kBits == 8) {
#pragma unroll
      for (int pair = 0; pair < kHead / 32; ++pair) {
        uint32_t words[4];
        load_matrices_transposed(
            words, values + sub * 16 * Shape::kRowBytes + FragmentPlaces<Format, kHead>::matrices(places.value[0], pair));
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          uint32_t near[2], far[2];
          Format::widen_apart(words[2 * half], near[0], near[1]);
          Format::widen_apart(words[2 * half + 1], far[0], far[1]);
#pragma unroll
          for (int tile = 0; tile < kTiles; ++tile) {
            mma_16x8x16<Compute>(state.sum[tile][2 * pair + half], near[0], near[1], far[0], far[1], weights[tile][0],
                                 weights[tile][1]);
          }
        }
      }
    } else {
#pragma unroll
      for (int chunk = 0; chunk < Shape::kValueChunks; ++chunk) {
        uint32_t raw[4][Shape::kValueWords];
#pragma unroll
        for (int key = 0; key < 4; ++key) {
          read_staged(values + places.value_at(sub, key, chunk), raw[key]);
        }
#pragma unroll
        for (int word = 0; word < Shape::kValueWords; ++word) {
          uint32_t near[kPerWord<Format>], far[kPerWord<Format>];
          value_pairs<Format>(raw[0][word], raw[1][word], near);
          value_pairs<Format>(raw[2][word], raw[3][word], far);
#pragma unroll
          for (int pair = 0; pair < kPerWord<Format> / 2; ++pair) {
            const int m = (chunk * Shape::kValueWords + word) * (kPerWord<Format> / 2) + pair;
#pragma unroll
            for (int tile = 0; tile < kTiles; ++tile) {
              mma_16x8x16<Compute>(state.sum[tile][m], near[2 * pair], near[2 * pair + 1], far[2 * pair],
                                   far[2 * pair + 1], weights[tile][0], weights[tile][1]);
            }
          }
        }
      }
    }
  }
}

}  // namespace limen
