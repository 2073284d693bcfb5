// How the tensor-core decode kernel reads: which lane loads which bytes of keys and values in each storage format, and
// how queries become fragments that match them.

#pragma once

#include "device/mma.cuh"
#include "device/page_fragments.cuh"
#include "device/vector_io.cuh"
#include "kernels/attention_decode_common.cuh"

namespace limen {

template <typename Format, int kHead>
struct DecodeShape {
  static constexpr int kRowBytes = kHead * Format::kBits / 8;
  static constexpr int kKeyBytes = kRowBytes / 4 < 16 ? kRowBytes / 4 : 16;  // one load of one of the 4 lanes of a key
  static constexpr int kKeyChunks = kRowBytes / (4 * kKeyBytes);
  static constexpr int kKeyWords = kKeyBytes / 4;
  static constexpr int kKeySteps = kKeyWords * kPerWord<Format> / 4;  // k-steps of sixteen elements in a chunk
  static constexpr int kValueBytes = kRowBytes / 8 < 16 ? kRowBytes / 8 : 16;  // … of the 8 lanes of a value
  static constexpr int kValueChunks = kRowBytes / (8 * kValueBytes);
  static constexpr int kValueWords = kValueBytes / 4;
  static constexpr int kValueElements = kValueWords * kPerWord<Format>;
  // Tiles of 16 keys a warp takes at once: as many as fill the registers that bf16 fills with one.
  static constexpr int kDepth = Format::kBits == 16 ? 1 : 2;
  static constexpr int kKeys = 16 * kDepth;
};

// The sequence and the head that column n of a block belongs to.
struct QueryRow {
  int batch, head;
};
__device__ __forceinline__ QueryRow query_row(const DecodeArguments& a, int column, int key_head) {
  const int per_key_head = a.heads / a.key_heads;
  const int rows = a.part == DecodePart::kPrefix ? a.rows : 1;
  return {static_cast<int>(blockIdx.z) * rows + column / per_key_head, key_head * per_key_head + column % per_key_head};
}

// Q^T fragments: word w of k-step s holds the elements that key_words puts beside it. Lane 4·g + t: query g.
template <typename Format, int kHead, int kTiles>
__device__ __forceinline__ void load_queries(const DecodeArguments& a, int first_column, int columns, int key_head,
                                             uint32_t (&q)[kTiles][kHead / 16][2], float (&q_sum)[kTiles][2]) {
  using Shape = DecodeShape<Format, kHead>;
  using Compute = typename Format::Compute;
  constexpr int kElements = Shape::kKeyWords * kPerWord<Format>;  // of one lane in one chunk
  const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
    const int column = tile * 8 + g;
    const bool present = column < columns;
    const QueryRow row = query_row(a, first_column + (present ? column : 0), key_head);
    const int64_t start = row.batch * a.q_batch + row.head * a.q_head;
    float sum = 0.0f;
#pragma unroll
    for (int chunk = 0; chunk < Shape::kKeyChunks; ++chunk) {
      const int first = (chunk * 4 + t) * kElements;
      float values[kElements];
#pragma unroll
      for (int part = 0; part < kElements; part += 8) {
        float eight[8] = {};
        if (present && first + part < a.head_size) {
          const uint4 raw = load16_raw(static_cast<const char*>(a.q) + 2 * (start + first + part));
          if (a.q_type == DType::kBF16) {
            unpack16<__nv_bfloat16>(raw, eight);
          } else {
            unpack16<__half>(raw, eight);
          }
        }
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          if (part + i < kElements) values[part + i] = eight[i];
        }
      }
#pragma unroll
      for (int step = 0; step < Shape::kKeySteps; ++step) {
#pragma unroll
        for (int word = 0; word < 2; ++word) {
          q[tile][chunk * Shape::kKeySteps + step][word] = pack2<Compute>(
              values[element_of<Format>(step, word, 0)], values[element_of<Format>(step, word, 1)]);
        }
      }
      if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
#pragma unroll
        for (int i = 0; i < kElements; ++i) sum += round_to<Compute>(values[i]);
      }
    }
    if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
      // Lanes of query g hold it in parts; columns 2t and 2t + 1 are wanted.
      sum += __shfl_xor_sync(kFullWarp, sum, 1);
      sum += __shfl_xor_sync(kFullWarp, sum, 2);
      q_sum[tile][0] = __shfl_sync(kFullWarp, sum, 4 * (2 * t));
      q_sum[tile][1] = __shfl_sync(kFullWarp, sum, 4 * (2 * t + 1));
    }
  }
}

// One warp's tile on its way from memory, and how its lanes find it.
template <typename Format, int kHead>
struct TileLoader {
  using Shape = DecodeShape<Format, kHead>;
  const DecodeArguments& a;
  int batch, key_head, row_bytes, hidden, last;

  // Lane l answers for key l of the tile; keys past the end repeat the last one and are masked later.
  __device__ __forceinline__ uint2 locate(int tile) const {
    const int lane = threadIdx.x % 32;
    const int seen = min(tile + (Shape::kKeys == 32 ? lane : lane % 16), last - 1);
    int slot;
    const int page = a.page_of(batch, a.position_of(seen, hidden), slot);
    return make_uint2(page, slot);
  }

  __device__ __forceinline__ void load_keys(uint2 place, uint32_t (&raw)[Shape::kDepth][2][Shape::kKeyChunks * Shape::kKeyWords],
                                            uint32_t (&scales)[Shape::kDepth][2][2]) const {
    const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#pragma unroll
    for (int sub = 0; sub < Shape::kDepth; ++sub) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int source = sub * 16 + half * 8 + g;
        const int page = __shfl_sync(kFullWarp, place.x, source), slot = __shfl_sync(kFullWarp, place.y, source);
        const char* const row = a.keys.vector(page, slot, key_head);
#pragma unroll
        for (int chunk = 0; chunk < Shape::kKeyChunks; ++chunk) {
          const int at = (chunk * 4 + t) * Shape::kKeyBytes;
          uint32_t* const words = raw[sub][half] + chunk * Shape::kKeyWords;
          if (at < row_bytes) {
            load_words_past_l1<Shape::kKeyWords>(row + at, words);
          } else {
#pragma unroll
            for (int word = 0; word < Shape::kKeyWords; ++word) words[word] = 0;
          }
        }
        if constexpr (Format::kScale != ScaleKind::kNone) {
          scales[sub][half][0] = *reinterpret_cast<const uint32_t*>(a.keys.scale(page, slot, key_head));
          scales[sub][half][1] = *reinterpret_cast<const uint32_t*>(a.values.scale(page, slot, key_head));
        }
      }
    }
  }

  __device__ __forceinline__ void load_values(uint2 place, uint32_t (&raw)[Shape::kDepth][4][Shape::kValueChunks * Shape::kValueWords]) const {
    const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#pragma unroll
    for (int sub = 0; sub < Shape::kDepth; ++sub) {
#pragma unroll
      for (int key = 0; key < 4; ++key) {
        const int source = sub * 16 + key / 2 * 8 + 2 * t + key % 2;
        const int page = __shfl_sync(kFullWarp, place.x, source), slot = __shfl_sync(kFullWarp, place.y, source);
        const char* const row = a.values.vector(page, slot, key_head);
#pragma unroll
        for (int chunk = 0; chunk < Shape::kValueChunks; ++chunk) {
          const int at = (chunk * 8 + g) * Shape::kValueBytes;
          uint32_t* const words = raw[sub][key] + chunk * Shape::kValueWords;
          if (at < row_bytes) {
            load_words_past_l1<Shape::kValueWords>(row + at, words);
          } else {
#pragma unroll
            for (int word = 0; word < Shape::kValueWords; ++word) words[word] = 0;
          }
        }
      }
    }
  }
};

// Factor and lowest value of a vector from its scale word.
template <typename Format>
__device__ __forceinline__ float2 scale_of(uint32_t word) {
  if constexpr (Format::kScale == ScaleKind::kFactor) return make_float2(__uint_as_float(word), 0.0f);
  if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) return unpack2<__half>(word);
  return make_float2(1.0f, 0.0f);
}

}  // namespace limen
