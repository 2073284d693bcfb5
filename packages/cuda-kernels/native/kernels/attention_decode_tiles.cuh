// How the tensor-core decode kernel reads: which lane loads which bytes of keys and values in each storage format, and
// how queries become fragments that match them.

#pragma once

#include <algorithm>

#include "device/async_copy.cuh"
#include "device/mma.cuh"
#include "device/page_fragments.cuh"
#include "device/vector_io.cuh"
#include "kernels/attention_decode_common.cuh"

namespace limen {

// Warps of a block, two of which fit a multiprocessor by registers and by shared memory. With two tiles of queries fewer warps
// that each take more keys at once: there is less to merge, and registers for the queries.
template <typename Format, int kHead, int kTiles>
inline constexpr int kDecodeWarps = kHead > 128 || kTiles > 1 ? 4 : Format::kBits == 16 ? 6 : 8;

// How a warp goes through keys and values, with kTiles tiles of eight queries.
template <typename Format, int kHead, int kTiles = 1>
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
  // A stage holds 8 KiB of 16-bit vectors or 4 KiB of smaller ones (8 for two tiles), so that warps have their fill of either.
  static constexpr int kWanted = (Format::kBits == 16 ? 8192 : 4096 * kTiles) / (32 * kRowBytes);
  static constexpr int kDepth = std::clamp(kWanted, 1, 4 / kTiles);  // tiles of sixteen keys in a stage
  static constexpr int kKeys = 16 * kDepth;
  static constexpr int kScaleBytes = Format::kScale == ScaleKind::kNone ? 0 : 8 * kKeys;
  static constexpr int kStageBytes = 2 * kKeys * kRowBytes + kScaleBytes;
  static constexpr int kStages = Format::kBits == 16 && kTiles == 1 ? 2 : 3;
  static constexpr int kRingBytes = kStages * kStageBytes;  // of one warp
};

// The sequence and the head that column n of a block belongs to.
struct QueryRow {
  int batch, head;
};
__device__ __forceinline__ QueryRow query_row(const DecodeArguments& a, int column, int key_head) {
  return {static_cast<int>(blockIdx.z), key_head * (a.heads / a.key_heads) + column};
}

// Q^T fragments: word w of k-step s holds the elements that stand beside it in a key's fragment. Lane 4·g + t: query g.
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
    if constexpr (Format::kBits == 16) {  // queries are of the pages' type
#pragma unroll
      for (int word = 0; word < kHead / 8; ++word) {
        const int first = word * 8 + 2 * t;
        q[tile][word / 2][word % 2] =
            present && first < a.head_size
                ? *reinterpret_cast<const uint32_t*>(static_cast<const char*>(a.q) + 2 * (start + first))
                : 0u;
      }
      continue;
    }
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
      if constexpr (kSumsQueries<Format>) {
#pragma unroll
        for (int i = 0; i < kElements; ++i) sum += round_to<Compute>(values[i]);
      }
    }
    if constexpr (kSumsQueries<Format>) {
      // Lanes of query g hold it in parts; columns 2t and 2t + 1 are wanted.
      sum += __shfl_xor_sync(kFullWarp, sum, 1);
      sum += __shfl_xor_sync(kFullWarp, sum, 2);
      q_sum[tile][0] = __shfl_sync(kFullWarp, sum, 4 * (2 * t));
      q_sum[tile][1] = __shfl_sync(kFullWarp, sum, 4 * (2 * t + 1));
    }
  }
}

// Where byte `at` of row `row` lies in a stage. Sixteen-byte chunks trade places within their 128 bytes, so that no bank is
// met twice: by the eight neighbouring rows of one chunk that load_matrices takes (16-bit rows, and values of 8 bits), by the
// lanes of a narrower key's fragment (eight rows, four neighbouring chunks) and by those of a 4-bit value's (rows 2t, eight
// neighbouring chunks).
template <typename Format, int kRowBytes>
__device__ __forceinline__ int staged_at(int row, int at) {
  constexpr int kChunks = kRowBytes / 16;
  const int chunk = at / 16, inside = at % 16;
  if constexpr (Format::kBits == 16) {
    static_assert(kChunks >= 8, "a row fills the banks");
    return row * kRowBytes + (chunk ^ row % 8) * 16 + inside;
  } else if constexpr (kChunks >= 8) {
    return row * kRowBytes + (chunk ^ ((row & 1) << 2 | (row >> 1 & 3))) * 16 + inside;
  } else {
    constexpr int kRowsPerLine = 8 / kChunks;
    const int line = row / kRowsPerLine;
    const int traded = Format::kBits == 8 ? line & 3 : (line & 3) << 1;
    return line * 128 + ((row % kRowsPerLine * kChunks + chunk) ^ traded) * 16 + inside;
  }
}

template <int kWords>
__device__ __forceinline__ void read_staged(const char* source, uint32_t (&words)[kWords]) {
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

// A warp's own ring of stages in shared memory: keys, values and scales on their way while earlier ones are worked on.
// No other warp touches it, so filling and using it needs no barrier of the block.
template <typename Format, int kHead, int kTiles>
struct TileRing {
  using Shape = DecodeShape<Format, kHead, kTiles>;
  static constexpr int kPlaces = (Shape::kKeys + 31) / 32;  // keys that one lane locates
  static constexpr int kChunks = Shape::kRowBytes / 16, kRowsAtOnce = 32 / kChunks;
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

  // Starts the copies of one tile into a stage. Keys and values lie at the same offset from their beginnings. Rows from
  // `rows` on and row `skipped` become zeros: nothing is read for them.
  __device__ __forceinline__ void fill(char* keys, const Places& places, int rows = Shape::kKeys, int skipped = -1) const {
    const int lane = threadIdx.x % 32;
    char* const values = keys + Shape::kKeys * Shape::kRowBytes;
    int64_t offset[kPlaces];
#pragma unroll
    for (int i = 0; i < kPlaces; ++i) {
      offset[i] = places.page[i] * a.keys.page + places.slot[i] * a.keys.slot + key_head * a.keys.head;
      if constexpr (Format::kScale != ScaleKind::kNone) {
        const int key = lane + 32 * i;
        char* const scales = values + Shape::kKeys * Shape::kRowBytes + 8 * key;
        if (key < Shape::kKeys) {
          const bool wanted = key < rows && key != skipped;
          copy_async4(scales, a.keys.scale(places.page[i], places.slot[i], key_head), wanted);
          copy_async4(scales + 4, a.values.scale(places.page[i], places.slot[i], key_head), wanted);
        }
      }
    }
    const int at = lane % kChunks * 16;
    const bool inside = at < row_bytes;
#pragma unroll
    for (int i = 0; i < Shape::kKeys / kRowsAtOnce; ++i) {
      const int row = lane / kChunks + i * kRowsAtOnce;
      const int64_t source = __shfl_sync(kFullWarp, offset[i * kRowsAtOnce / 32], row % 32) + at;
      const int target = staged_at<Format, Shape::kRowBytes>(row, at);
      const bool wanted = inside && row < rows && row != skipped;
      copy_async16(keys + target, a.keys.data + (wanted ? source : 0), wanted);
      copy_async16(values + target, a.values.data + (wanted ? source : 0), wanted);
    }
  }
};

// The same copies for whole tiles in which every sixteen keys are neighbours of one page and vectors have no surplus. A lane
// keeps where it reads and writes; of a tile it needs to know the pages alone.
template <typename Format, int kHead, int kTiles>
struct NeighbourCopies {
  using Shape = DecodeShape<Format, kHead, kTiles>;
  static constexpr int kChunks = Shape::kRowBytes / 16, kRowsAtOnce = 32 / kChunks;
  static constexpr int kTargets = kRowsAtOnce < 8 ? 8 / kRowsAtOnce : 1;  // further ones lie eight rows on
  const char *key, *scale;
  const int* table;
  int64_t value;                                // from a key to its value
  uint32_t page, slot, scale_page, scale_slot;  // strides in sixteens of bytes, those of scales in fours
  int page_shift, slot_mask, target[kTargets], scale_target;

  __device__ __forceinline__ NeighbourCopies(const DecodeArguments& a, int batch, int key_head) {
    const int lane = threadIdx.x % 32, first_row = lane / kChunks, at = lane % kChunks * 16;
    key = a.keys.data + first_row * a.keys.slot + key_head * a.keys.head + at;
    value = a.values.data - a.keys.data;
    page = static_cast<uint32_t>(a.keys.page >> 4), slot = static_cast<uint32_t>(a.keys.slot >> 4);
    table = a.page_table + static_cast<int64_t>(batch) * a.pages_per_sequence;
    page_shift = a.page_shift, slot_mask = a.page_size - 1;
#pragma unroll
    for (int i = 0; i < kTargets; ++i) target[i] = staged_at<Format, Shape::kRowBytes>(first_row + i * kRowsAtOnce, at);
    scale_target = 2 * Shape::kKeys * Shape::kRowBytes + lane % 16 * 8 + lane / 16 * 4;
    if constexpr (Format::kScale != ScaleKind::kNone) {  // half of the lanes for keys, half for values
      const PageView& view = lane < 16 ? a.keys : a.values;
      scale = view.scale(0, lane % 16, key_head);
      scale_page = static_cast<uint32_t>(a.keys.scale_page >> 2), scale_slot = static_cast<uint32_t>(a.keys.scale_slot >> 2);
    }
#pragma unroll
    for (int i = 0; i < kTargets; ++i) asm volatile("" : "+r"(target[i]));
    asm volatile("" : "+r"(scale_target), "+l"(key), "+l"(table));
  }

  struct Pages {
    int number[Shape::kDepth];
  };
  __device__ __forceinline__ Pages locate(int tile) const {
    Pages pages;
#pragma unroll
    for (int sub = 0; sub < Shape::kDepth; ++sub) pages.number[sub] = table[(tile + 16 * sub) >> page_shift];
    return pages;
  }

  // kPacked: keys of a page follow one another without a gap, so that copies differ by what is known here.
  template <bool kPacked>
  __device__ __forceinline__ void fill(char* stage, int tile, const Pages& pages) const {
#pragma unroll
    for (int sub = 0; sub < Shape::kDepth; ++sub) {
      const auto first = static_cast<uint32_t>((tile + 16 * sub) & slot_mask);
      // Here, not where it is read: nothing waits for it before.
      const auto number = static_cast<uint32_t>(max(0, pages.number[sub]));
      const uint32_t between = kPacked ? Shape::kRowBytes / 16 : slot;
      const char* from_key = key + ((static_cast<uint64_t>(number) * page + static_cast<uint64_t>(first) * between) << 4);
      const char* from_value = from_key + value;
      if constexpr (Format::kScale != ScaleKind::kNone) {
        const uint64_t at = static_cast<uint64_t>(number) * scale_page + static_cast<uint64_t>(first) * scale_slot;
        copy_async4(stage + scale_target + sub * 128, scale + (at << 2), true);
      }
#pragma unroll
      for (int i = 0; i < (kRowsAtOnce < 16 ? 16 / kRowsAtOnce : 1); ++i) {
        const int row = i * kRowsAtOnce;
        char* const to = stage + target[row % 8 / kRowsAtOnce % kTargets] + (sub * 16 + row / 8 * 8) * Shape::kRowBytes;
        const int64_t on = kPacked ? row * Shape::kRowBytes : static_cast<int64_t>(row) * slot * 16;
        copy_async16(to, from_key + on, true);
        copy_async16(to + Shape::kKeys * Shape::kRowBytes, from_value + on, true);
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
