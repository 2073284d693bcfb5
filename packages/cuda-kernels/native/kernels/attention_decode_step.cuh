// One tile of keys and values out of shared memory: scores, weights, and what they add to a warp's running softmax. The
// heart of decode attention on tensor cores; attention_decode_tensor.cuh explains the arithmetic.

#pragma once

#include "kernels/attention_decode_places.cuh"
#include "kernels/attention_decode_state.cuh"

namespace limen {

// A stage of keys on its way through a warp. The steps stand in the order in which attend_tile() takes them.
template <typename Format, int kHead, int kTiles>
struct DecodeTile {
  using Shape = DecodeShape<Format, kHead, kTiles>;
  using Compute = typename Format::Compute;
  using Places = FragmentPlaces<Format, kHead>;
  using State = DecodeState<kTiles, kHead>;
  static constexpr int kDepth = Shape::kDepth;
  static constexpr bool kScaled = Format::kScale != ScaleKind::kNone;
  static constexpr bool kHasLowest = Format::kScale == ScaleKind::kFactorAndLowest;

  float score[kDepth][kTiles][4];  // accumulator i: key g + 8 · (i / 2), column 2t + i % 2; in the end its weight
  // What a key's score is multiplied by and what is added to it: its scales, and −∞ where it is not seen.
  float2 key_scale[kDepth][2];
  float addend[kDepth][2], value_inverse[kDepth][2], value_lowest[kDepth][2];

  // S^T = K · Q^T
  template <typename Queries>
  __device__ __forceinline__ void multiply_keys(const char* keys, const Places& places, const Queries& queries) {
    // Two sums side by side where there is one tile: a multiplication need not wait for the one before.
    constexpr int kSums = kDepth * kTiles == 1 ? 2 : 1;
    float other[kSums == 2 ? kDepth : 1][kTiles][4] = {};
#pragma unroll
    for (int sub = 0; sub < kDepth; ++sub) {
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          score[sub][tile][i] = Format::kKeyBias != 0.0f ? -Format::kKeyBias * queries.sum[tile][i % 2] : 0.0f;
        }
      }
    }
#pragma unroll
    for (int chunk = 0; chunk < Shape::kKeyChunks; ++chunk) {
      uint32_t q[kTiles][Shape::kKeySteps][2];
      queries.read(chunk, q);
#pragma unroll
      for (int sub = 0; sub < kDepth; ++sub) {
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
                                     Places::matrices(places.key, chunk * Shape::kKeySteps + step));
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
      for (int i = 0; i < 4; ++i) score[0][0][i] += other[0][0][i];
    }
  }

  // `factor` brings scores to powers of two.
  __device__ __forceinline__ void read_scales(const char* stage_scales, float factor) {
    const int g = threadIdx.x % 32 / 4;
    const auto* const scales = reinterpret_cast<const uint2*>(stage_scales);
#pragma unroll
    for (int sub = 0; sub < kDepth; ++sub) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        key_scale[sub][half].x = factor;
        addend[sub][half] = 0.0f;
        if constexpr (kScaled) {
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
  }

  // Keys from `last` on are not attended to; the tile begins with `first`.
  __device__ __forceinline__ void hide_from(int last, int first) {
    const int g = threadIdx.x % 32 / 4;
#pragma unroll
    for (int sub = 0; sub < kDepth; ++sub) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        if (first + sub * 16 + half * 8 + g >= last) addend[sub][half] = -INFINITY;
      }
    }
  }

  // Whether a score of this lane leaves the running maximum too far behind.
  template <typename Queries>
  __device__ __forceinline__ bool scale_scores(const Queries& queries, const State& state) {
    bool exceeds = false;
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int sub = 0; sub < kDepth; ++sub) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int half = i / 2, c = i % 2;
          float& value = score[sub][tile][i];
          float offset = addend[sub][half];
          if constexpr (kHasLowest) offset = fmaf(queries.sum[tile][c], key_scale[sub][half].y, offset);
          value = fmaf(value, key_scale[sub][half].x, offset);
          exceeds |= value > state.highest[tile][c] + kMaximumSlack;
        }
      }
    }
    return exceeds;
  }

  // Brings the running maxima up to date, and everything that was weighed by them.
  __device__ __forceinline__ void renew_maxima(State& state) const {
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        float best = state.highest[tile][c];
#pragma unroll
        for (int sub = 0; sub < kDepth; ++sub) best = fmaxf(best, fmaxf(score[sub][tile][c], score[sub][tile][2 + c]));
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

  // Scores → weights, with the scales of the values in them; totals are without.
  __device__ __forceinline__ void weigh(State& state) {
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
#pragma unroll
        for (int sub = 0; sub < kDepth; ++sub) {
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            float& weight = score[sub][tile][2 * half + c];
            weight = power_of_two(weight - state.highest[tile][c]);
            const float plain = kScaled ? weight * value_inverse[sub][half] : weight;
            state.total[tile][c] += plain;
            if constexpr (kHasLowest) state.lowest[tile][c] = fmaf(plain, value_lowest[sub][half], state.lowest[tile][c]);
          }
        }
      }
    }
  }

  // O^T += V^T · P^T
  __device__ __forceinline__ void add_values(const char* values, const Places& places, State& state) const {
#pragma unroll
    for (int sub = 0; sub < kDepth; ++sub) {
      uint32_t weights[kTiles][2];
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
        weights[tile][0] = transpose_matrix(pack2<Compute>(score[sub][tile][0], score[sub][tile][1]));
        weights[tile][1] = transpose_matrix(pack2<Compute>(score[sub][tile][2], score[sub][tile][3]));
      }
      const auto add = [&](int m, uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3) {
#pragma unroll
        for (int tile = 0; tile < kTiles; ++tile) {
          mma_16x8x16<Compute>(state.sum[tile][m], a0, a1, a2, a3, weights[tile][0], weights[tile][1]);
        }
      };
      const char* const sixteen = values + sub * 16 * Shape::kRowBytes;
      if constexpr (Format::kBits == 16) {
#pragma unroll
        for (int m = 0; m < kHead / 16; ++m) {
          uint32_t words[4];
          load_matrices_transposed(words, sixteen + Places::matrices(places.value[0], m));
          add(m, words[0], words[1], words[2], words[3]);
        }
      } else if constexpr (Format::kBits == 8) {
#pragma unroll
        for (int pair = 0; pair < kHead / 32; ++pair) {
          uint32_t words[4];
          load_matrices_transposed(words, sixteen + Places::matrices(places.value[0], pair));
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            uint32_t near[2], far[2];
            Format::widen_apart(words[2 * half], near[0], near[1]);
            Format::widen_apart(words[2 * half + 1], far[0], far[1]);
            add(2 * pair + half, near[0], near[1], far[0], far[1]);
          }
        }
      } else {
#pragma unroll
        for (int chunk = 0; chunk < Shape::kValueChunks; ++chunk) {
          uint32_t raw[4][Shape::kValueWords];
#pragma unroll
          for (int key = 0; key < 4; ++key) read_staged(values + places.value_at(sub, key, chunk), raw[key]);
#pragma unroll
          for (int word = 0; word < Shape::kValueWords; ++word) {
            uint32_t near[kPerWord<Format>], far[kPerWord<Format>];
            Format::value_pairs(raw[0][word], raw[1][word], near);
            Format::value_pairs(raw[2][word], raw[3][word], far);
#pragma unroll
            for (int pair = 0; pair < kPerWord<Format> / 2; ++pair) {
              const int m = (chunk * Shape::kValueWords + word) * (kPerWord<Format> / 2) + pair;
              add(m, near[2 * pair], near[2 * pair + 1], far[2 * pair], far[2 * pair + 1]);
            }
          }
        }
      }
    }
  }
};

// Takes the stage that begins at `keys` and holds the keys from `tile_start` on, of which those from `last` on are not seen.
// `factor` brings scores to powers of two.
template <typename Format, int kHead, int kTiles, typename Queries>
__device__ __forceinline__ void attend_tile(const char* keys, const FragmentPlaces<Format, kHead>& places,
                                            const Queries& queries, float factor, int tile_start, int last,
                                            DecodeState<kTiles, kHead>& state) {
  using Shape = DecodeShape<Format, kHead, kTiles>;
  const char *const values = keys + Shape::kKeys * Shape::kRowBytes, *const scales = values + Shape::kKeys * Shape::kRowBytes;
  DecodeTile<Format, kHead, kTiles> tile;
  tile.multiply_keys(keys, places, queries);
  tile.read_scales(scales, factor);
  if (tile_start + Shape::kKeys > last) tile.hide_from(last, tile_start);
  if (__any_sync(kFullWarp, tile.scale_scores(queries, state))) tile.renew_maxima(state);
  tile.weigh(state);
  tile.add_values(values, places, state);
}

}  // namespace limen
