// How the tensor-core decode kernel reads: which lane loads which bytes of keys and values in each storage format, and
// how queries become fragments that match them.

#pragma once

#include "device/async_copy.cuh"
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
  // A stage holds 8 KiB of 16-bit vectors or 4 KiB of smaller ones, so that warps have their fill of either.
  static constexpr int kWanted = (Format::kBits == 16 ? 8192 : 4096) / (32 * kRowBytes);
  static constexpr int kDepth = kWanted < 1 ? 1 : kWanted > 4 ? 4 : kWanted;  // tiles of sixteen keys in a stage
  static constexpr int kKeys = 16 * kDepth;
  static constexpr int kScaleBytes = Format::kScale == ScaleKind::kNone ? 0 : 8 * kKeys;
  static constexpr int kStageBytes = 2 * kKeys * kRowBytes + kScaleBytes;
  static constexpr int kStages = Format::kBits == 16 ? 2 : 3;
  static constexpr int kRingBytes = kStages * kStageBytes;  // of one warp
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

// Where byte `at` of row `row` lies in a stage. Sixteen-byte chunks trade places within their 128 bytes, so that the
// lanes of a key fragment (eight rows, four neighbouring chunks) and those of a value fragment (rows 2t, eight
// neighbouring chunks) meet no bank twice.
template <int kRowBytes>
__device__ __forceinline__ int staged_at(int row, int at) {
  constexpr int kChunks = kRowBytes / 16;
  const int chunk = at / 16, inside = at % 16;
  if constexpr (kChunks >= 8) {
    return row * kRowBytes + (chunk ^ ((row >> 1 & 3) << 1 ^ (row & 1) << 2)) * 16 + inside;
  } else {
    constexpr int kRowsPerLine = 8 / kChunks;
    const int line = row / kRowsPerLine;
    return line * 128 + ((row % kRowsPerLine * kChunks + chunk) ^ (line & 3) << 1) * 16 + inside;
  }
}

// A warp's own ring of stages in shared memory: keys, values and scales on their way while earlier ones are worked on.
// No other warp touches it, so filling and using it needs no barrier of the block.
template <typename Format, int kHead>
struct TileRing {
  using Shape = DecodeShape<Format, kHead>;
  static constexpr int kPlaces = (Shape::kKeys + 31) / 32;  // keys that one lane locates
  const DecodeArguments& a;
  char* ring;
  int batch, key_head, row_bytes, hidden, last;

  struct Places {
    int page[kPlaces], slot[kPlaces];
  };

  // Lane l answers for keys l and l + 32 of the tile; keys past the end repeat the last one and are masked later.
  __device__ __forceinline__ Places locate(int tile) const {
    Places places;
#pragma unroll
    for (int i = 0; i < kPlaces; ++i) {
      const int seen = min(tile + static_cast<int>(threadIdx.x) % 32 % Shape::kKeys + 32 * i, last - 1);
      places.page[i] = a.page_of(batch, a.position_of(seen, hidden), places.slot[i]);
    }
    return places;
  }

  __device__ __forceinline__ char* stage(int index) const { return ring + index * Shape::kStageBytes; }

  // Starts the copies of one tile into a stage. Keys and values lie at the same offset from their beginnings.
  __device__ __forceinline__ void fill(int index, const Places& places) const {
    constexpr int kChunks = Shape::kRowBytes / 16, kRowsAtOnce = 32 / kChunks;
    const int lane = threadIdx.x % 32;
    char* const keys = stage(index);
    char* const values = keys + Shape::kKeys * Shape::kRowBytes;
    int64_t offset[kPlaces];
#pragma unroll
    for (int i = 0; i < kPlaces; ++i) {
      offset[i] = places.page[i] * a.keys.page + places.slot[i] * a.keys.slot + key_head * a.keys.head;
      if constexpr (Format::kScale != ScaleKind::kNone) {
        const int key = lane + 32 * i;
        char* const scales = values + Shape::kKeys * Shape::kRowBytes + 8 * key;
        if (key < Shape::kKeys) {
          copy_async4(scales, a.keys.scale(places.page[i], places.slot[i], key_head));
          copy_async4(scales + 4, a.values.scale(places.page[i], places.slot[i], key_head));
        }
      }
    }
    const int at = lane % kChunks * 16;
    const bool inside = at < row_bytes;
#pragma unroll
    for (int i = 0; i < Shape::kKeys / kRowsAtOnce; ++i) {
      const int row = lane / kChunks + i * kRowsAtOnce;
      const int64_t source = __shfl_sync(kFullWarp, offset[i * kRowsAtOnce / 32], row % 32) + at;
      const int target = staged_at<Shape::kRowBytes>(row, at);
      copy_async16(keys + target, a.keys.data + (inside ? source : 0), inside);
      copy_async16(values + target, a.values.data + (inside ? source : 0), inside);
    }
  }

  // The lane's words of one row of keys (or values) of a stage, `at` bytes into it.
  template <int kWords>
  __device__ __forceinline__ void read(const char* rows, int row, int at, uint32_t (&words)[kWords]) const {
    const char* const source = rows + staged_at<Shape::kRowBytes>(row, at);
    if constexpr (kWords == 4) {
      const uint4 raw = *reinterpret_cast<const uint4*>(source);
      words[0] = raw.x, words[1] = raw.y, words[2] = raw.z, words[3] = raw.w;
    } else if constexpr (kWords == 2) {
      const uint2 raw = *reinterpret_cast<const uint2*>(source);
      words[0] = raw.x, words[1] = raw.y;
    } else {
      words[0] = *reinterpret_cast<const uint32_t*>(source);
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
