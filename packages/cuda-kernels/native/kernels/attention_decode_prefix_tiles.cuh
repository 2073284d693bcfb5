// What attention to a shared prefix has in shared memory, and how it gets there: keys and values from pages of every storage
// format, and queries, which turn on the way.

#pragma once

#include <algorithm>

#include "device/mma.cuh"
#include "device/warpgroup_launch.cuh"
#include "kernels/attention_decode_prefix.h"
#include "kernels/attention_decode_step.cuh"
#include "kernels/kv_append_common.cuh"

namespace limen {

inline constexpr int kPrefixThreads = 128;
inline constexpr int kPrefixQueries = 64, kPrefixKeys = 64;  // of a tile

// Offsets in bytes from a multiple of 1,024. Operands are rows of 64 values, swizzled, for each 64 channels.
template <typename Format, int kHead>
struct PrefixMemory {
  static constexpr int kRowBytes = kHead * Format::kBits / 8;
  static constexpr int kStages = 2;
  static constexpr int kTileBytes = kPrefixKeys * kHead * 2;
  static constexpr int kStageBytes = 2 * kTileBytes;
  static constexpr int kStagesAt = kPrefixQueries * kHead * 2;  // behind the queries
  static constexpr int kScalesAt = kStagesAt + kStages * kStageBytes;
  static constexpr int kScaleArrays = Format::kScale == ScaleKind::kNone ? 0 : Format::kScale == ScaleKind::kFactor ? 3 : 5;
  static constexpr int kScaleBytes = kScaleArrays * kPrefixKeys * 4;  // of a stage
  static constexpr int kBytes = kScalesAt + kStages * kScaleBytes;
  // When the keys have served: maximum and total, then sums, [splits][rows of the owner].
  static constexpr int kFactsAt = kStagesAt;
  static constexpr int kReceivedAt = kFactsAt + kPrefixQueries * 8;
  static constexpr int kPitch = kHead + 8;  // floats; lanes of a warp then meet no bank twice
  static_assert(kReceivedAt + kPrefixQueries * kPitch * 4 <= kScalesAt, "sums take the place of keys and values");
};

// Where chunk `chunk` (eight values) of row `row` lies in a tile of 64 rows.
__device__ __forceinline__ int prefix_place(int row, int chunk) {
  return chunk / 8 * (64 * 128) + row * 128 + (chunk ^ row) % 8 * 16;
}

__device__ __forceinline__ int shared_keys_of(const DecodeArguments& d, int batch) {
  const int length = max(0, min(__ldcg(d.lengths + batch), d.pages_per_sequence * d.page_size));
  return min(d.whole_prefix(__ldcg(d.prefix_lengths + batch / d.rows)), length);
}

// Keys and values on their way from pages into a stage. A warp takes sixteen rows of a tile; its page numbers are asked for
// a tile earlier than anything that lies in the pages.
template <typename Format, int kHead>
struct PrefixLoader {
  using Memory = PrefixMemory<Format, kHead>;
  static constexpr int kChunks = Memory::kRowBytes / 16;  // of a stored row
  static constexpr int kRowsAtOnce = 32 / kChunks;
  static constexpr int kLoads = (16 + kRowsAtOnce - 1) / kRowsAtOnce;
  const DecodeArguments& d;
  int batch, key_head, last;
  float factor;
  int page = 0;    // of the warp's rows: sixteen keys from a multiple of sixteen on lie in one
  uint4 raw[2][Format::kBits == 16 ? 1 : kLoads] = {};  // keys, values
  uint32_t scale = 0;  // of a key in the first half of the lanes, of a value in the second

  static __device__ __forceinline__ int warp_row() { return static_cast<int>(threadIdx.x) / 32 * 16; }
  static __device__ __forceinline__ int lane_row() { return static_cast<int>(threadIdx.x) % 32 / kChunks; }
  // Of the warp's first key in a tile; past the end the last key's, whose page is a page at least.
  __device__ __forceinline__ int place_of(int tile) const { return min(tile + warp_row(), last - 1) >> d.page_shift; }
  __device__ __forceinline__ void find(int tile) {
    page = __ldcg(d.page_table + static_cast<int64_t>(batch) * d.pages_per_sequence + place_of(tile));
  }

  // Calls visit(i, row of the warp, byte offset, whether it is to be read) for the lane's part of each row.
  template <typename Visit>
  __device__ __forceinline__ void each_row(int tile, Visit&& visit) const {
    const int chunk = threadIdx.x % kChunks, first = tile + warp_row(), slot = first - place_of(tile) * d.page_size;
    int64_t source = max(0, page) * d.keys.page + (slot + lane_row()) * d.keys.slot + key_head * d.keys.head + chunk * 16;
    const int rows = chunk * 128 < d.head_size * Format::kBits ? last - first : 0;
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      const int row = i * kRowsAtOnce + lane_row();
      visit(i, row, source, row < rows && row < 16);
      source += kRowsAtOnce * d.keys.slot;
    }
  }

  // 16-bit: starts the copies of a tile.
  __device__ __forceinline__ void copy(char* stage, int tile) const {
    each_row(tile, [&](int, int row, int64_t source, bool wanted) {
      char* const target = stage + prefix_place(warp_row() + row, threadIdx.x % kChunks);
      copy_async16(target, d.keys.data + (wanted ? source : 0), wanted);
      copy_async16(target + Memory::kTileBytes, d.values.data + (wanted ? source : 0), wanted);
    });
  }

  // Others: asks for a tile …
  __device__ __forceinline__ void ask(int tile) {
    const int lane = threadIdx.x % 32, first = tile + warp_row();
    const int slot = min(first + lane % 16, max(first, last - 1)) - place_of(tile) * d.page_size;
    const PageView& view = lane < 16 ? d.keys : d.values;
    if (first < last) scale = __ldcg(reinterpret_cast<const unsigned int*>(view.scale(max(0, page), slot, key_head)));
    each_row(tile, [&](int i, int, int64_t source, bool wanted) {
      raw[0][i] = wanted ? __ldcg(reinterpret_cast<const uint4*>(d.keys.data + source)) : make_uint4(0, 0, 0, 0);
      raw[1][i] = wanted ? __ldcg(reinterpret_cast<const uint4*>(d.values.data + source)) : make_uint4(0, 0, 0, 0);
    });
  }
  // … and lays it down, widened.
  __device__ __forceinline__ void lay(char* stage, char* scales) const {
    const int lane = threadIdx.x % 32, first = threadIdx.x / 32 * 16, chunk = lane % kChunks;
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      const int row = first + (i * kRowsAtOnce + lane / kChunks) % 16;
#pragma unroll
      for (int kind = 0; kind < 2; ++kind) {
        char* const tile = stage + kind * Memory::kTileBytes;
        const uint32_t words[4] = {raw[kind][i].x, raw[kind][i].y, raw[kind][i].z, raw[kind][i].w};
        if constexpr (Format::kBits == 8) {
#pragma unroll
          for (int part = 0; part < 2; ++part) {
            uint4 wide;
            Format::widen4(words[2 * part], wide.x, wide.y);
            Format::widen4(words[2 * part + 1], wide.z, wide.w);
            *reinterpret_cast<uint4*>(tile + prefix_place(row, chunk * 2 + part)) = wide;
          }
        } else if constexpr (Format::kBits == 4) {
#pragma unroll
          for (int part = 0; part < 4; ++part) {  // a word holds elements 0 … 7, of which four steps give i and i + 4
            uint32_t pairs[4];
#pragma unroll
            for (int step = 0; step < 4; ++step) pairs[step] = Format::widen(words[part] >> (4 * step));
            *reinterpret_cast<uint4*>(tile + prefix_place(row, chunk * 4 + part)) =
                make_uint4(__byte_perm(pairs[0], pairs[1], 0x5410), __byte_perm(pairs[2], pairs[3], 0x5410),
                           __byte_perm(pairs[0], pairs[1], 0x7632), __byte_perm(pairs[2], pairs[3], 0x7632));
          }
        }
      }
    }
    float* const own = reinterpret_cast<float*>(scales) + first + lane % 16;
    const float2 value = scale_of<Format>(scale);
    if (lane < 16) {
      own[0] = value.x * factor;
      if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) own[3 * kPrefixKeys] = value.y * factor;
    } else {
      const float least = fmaxf(value.x, kLeastScale);
      own[kPrefixKeys] = binary_logarithm(least);
      own[2 * kPrefixKeys] = __fdividef(1.0f, least);
      if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) own[4 * kPrefixKeys] = value.y;
    }
  }
};

// Rows and heads of every `step`-th query of a key head, without a division for each.
struct QueryWalk {
  int row, head, row_step, head_step, per_key_head;

  __device__ __forceinline__ QueryWalk(int query, int step, int per_key_head_) : per_key_head(per_key_head_) {
    row = query / per_key_head, head = query - row * per_key_head;
    row_step = step / per_key_head, head_step = step - row_step * per_key_head;
  }
  __device__ __forceinline__ void advance() {
    row += row_step, head += head_step;
    if (head >= per_key_head) head -= per_key_head, ++row;
  }
};

// Lays the block's queries down as an operand, as they are: complete after a wait for copies and a barrier.
template <int kHead>
__device__ __forceinline__ void copy_prefix_queries(const DecodeArguments& d, int first_batch, int key_head,
                                                    int first_column, int columns, char* target) {
  constexpr int kChunks = kHead / 8, kStep = kPrefixThreads / kChunks;
  const int chunk = threadIdx.x % kChunks, first_head = key_head * (d.heads / d.key_heads);
  QueryWalk walk(first_column + static_cast<int>(threadIdx.x) / kChunks, kStep, d.heads / d.key_heads);
#pragma unroll 1
  for (int column = threadIdx.x / kChunks; column < kPrefixQueries; column += kStep, walk.advance()) {
    const bool present = column < columns && chunk * 8 < d.head_size;
    const int64_t source = (first_batch + walk.row) * d.q_batch + (first_head + walk.head) * d.q_head + chunk * 8;
    copy_async16(target + prefix_place(column, chunk), static_cast<const char*>(d.q) + (present ? 2 * source : 0), present);
  }
}

// Cosines and sines of each pair of each row of the block. In a loop and a table rather than where they are used: written
// out for every element they would take the block longer to fetch than to compute.
template <typename T>
__device__ __forceinline__ void fill_prefix_angles(const RotaryFrequencies& frequencies, const int* positions, int rows,
                                                   float2* angles) {
  const int pairs = frequencies.pairs;
#pragma unroll 1
  for (int index = threadIdx.x; index < rows * pairs; index += kPrefixThreads) {
    const int row = index / pairs, pair = index - row * pairs;
    float sine, cosine;
    sincosf(__fmul_rn(static_cast<float>(positions[row]), frequencies.value[pair]), &sine, &cosine);
    angles[index] = make_float2(round_to<T>(cosine), round_to<T>(sine));
  }
}

// Turns the queries where they lie and brings them to the type of the products. A lane takes eight channels of a query, with
// those that they pair with. `sums`: of the elements of a query, for formats with a lowest value.
template <typename T, typename Format, int kHead>
__device__ __forceinline__ void turn_prefix_queries(Rotary rotary, int pairs, int per_key_head, int first_column, int columns,
                                                    const float2* angles, char* target, float* sums) {
  using Compute = typename Format::Compute;
  constexpr int kChunks = kHead / 8, kStep = kPrefixThreads / kChunks;
  const int chunk = threadIdx.x % kChunks, first = chunk * 8, first_row = first_column / per_key_head;
  const bool half = rotary == Rotary::kHalf, turns = rotary != Rotary::kNone && first < 2 * pairs;
  QueryWalk walk(first_column + static_cast<int>(threadIdx.x) / kChunks, kStep, per_key_head);
#pragma unroll 1
  for (int column = threadIdx.x / kChunks; column < kPrefixQueries; column += kStep, walk.advance()) {
    char* const place = target + prefix_place(column, chunk);
    char* const other = target + prefix_place(column, half && turns && first < pairs ? chunk + pairs / 8 : chunk);
    float x[8], partner[8];
    unpack16<T>(load16_raw(place), x);
    unpack16<T>(load16_raw(other), partner);
    const float2* const angle = angles + (column < columns ? walk.row - first_row : 0) * pairs;
    const bool mine = !(half && turns && first >= pairs);  // the lane of its pairs turns it
    if (turns && half && mine) {  // halves are multiples of eight
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float2 turn = angle[first + i];
        const float low = x[i];
        x[i] = low * turn.x - partner[i] * turn.y;
        partner[i] = partner[i] * turn.x + low * turn.y;
      }
    } else if (turns && !half) {
#pragma unroll
      for (int i = 0; i < 8; i += 2) {
        if (first + i >= 2 * pairs) continue;
        const float2 turn = angle[first / 2 + i / 2];
        const float even = x[i];
        x[i] = even * turn.x - x[i + 1] * turn.y;
        x[i + 1] = x[i + 1] * turn.x + even * turn.y;
      }
    }
    float sum = 0.0f;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      x[i] = round_to<T>(x[i]), partner[i] = round_to<T>(partner[i]);  // as if they had been stored in between
      if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
        if (mine) sum += round_to<Compute>(x[i]) + (other != place ? round_to<Compute>(partner[i]) : 0.0f);
      }
    }
    if (mine) {
      store16_raw(place, pack16<Compute>(x));
      if (other != place) store16_raw(other, pack16<Compute>(partner));
    }
    if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
      sum = warp_sum<kChunks>(sum);
      if (chunk == 0) sums[column] = sum;
    }
  }
}

}  // namespace limen
