// The new token of a decode step: its queries are turned and laid down as words of fragments, its key and value are
// turned, brought into their storage format, written to their page and kept in shared memory as one more key.

#pragma once

#include "kernels/attention_append_memory.cuh"

namespace limen {

// Where the new token of a sequence goes, and what this block has to do with it.
struct NewToken {
  int place, slot;  // of the page table, and of the page
  int seen;         // its number among the seen keys, or −1
  int warp;         // of the block that attends to it or stores it, or −1
  bool written;     // the block stores it, if it has a page
};

// `position` is where it goes; `warps` take tiles of `keys` keys in turn. Its page is looked up where it is written: nothing
// else waits for that.
__device__ __forceinline__ NewToken find_new_token(const DecodeArguments& d, int position, int length, int end,
                                                   const KeyRange& range, bool first_split, bool first_chunk, int keys,
                                                   int warps) {
  NewToken token = {0, 0, -1, -1, false};
  if (position < 0 || position >= d.pages_per_sequence * d.page_size) return token;
  token.place = d.page_shift >= 0 ? position >> d.page_shift : position / d.page_size;
  token.slot = position - token.place * d.page_size;
  const int hidden = length - end;
  if (position < length && (hidden == 0 || position < d.sinks || position >= length - d.window)) {
    token.seen = position < d.sinks ? position : position - hidden;
  }
  const bool mine = token.seen >= 0 ? token.seen >= range.first && token.seen < range.last : first_split;
  if (mine && (first_chunk || token.seen >= 0)) token.warp = token.seen >= 0 ? (token.seen - range.first) / keys % warps : 0;
  token.written = mine && first_chunk;
  return token;
}

// Lays eight elements of a query down as four words, where fragments that match those of the keys find them. A lane of a
// fragment takes sixteen bytes at a time: two words of each of two k-steps.
template <typename Format>
__device__ __forceinline__ void lay_query(char* row, int first, const float (&x)[8]) {
  using Compute = typename Format::Compute;
  if constexpr (Format::kBits == 16) {  // word t of chunk c is word c % 4 of lane t
    auto* const words = reinterpret_cast<uint32_t*>(row + first / 32 * 64 + first / 8 % 4 * 4);
#pragma unroll
    for (int t = 0; t < 4; ++t) words[4 * t] = pack2<Compute>(x[2 * t], x[2 * t + 1]);
  } else if constexpr (Format::kBits == 8) {
    *reinterpret_cast<uint4*>(row + 2 * first) =
        make_uint4(pack2<Compute>(x[0], x[1]), pack2<Compute>(x[2], x[3]), pack2<Compute>(x[4], x[5]),
                   pack2<Compute>(x[6], x[7]));
  } else {
    *reinterpret_cast<uint4*>(row + 2 * first) =
        make_uint4(pack2<Compute>(x[0], x[4]), pack2<Compute>(x[1], x[5]), pack2<Compute>(x[2], x[6]),
                   pack2<Compute>(x[3], x[7]));
  }
}

// Cosine and sine of each pair of channels, as the type of the queries holds them.
template <typename T>
__device__ __forceinline__ void lay_rotation(const RotaryFrequencies& frequencies, int position, int threads, char* shared) {
  for (int pair = threadIdx.x; pair < frequencies.pairs; pair += threads) {
    float sine, cosine;
    sincosf(__fmul_rn(static_cast<float>(position), frequencies.value[pair]), &sine, &cosine);
    reinterpret_cast<uint32_t*>(shared)[pair] = pack2<T>(cosine, sine);
  }
}

// Eight channels of a vector and, where halves turn together, the eight that turn with them.
struct EightChannels {
  uint4 own = {}, partner = {};

  template <typename T>
  __device__ __forceinline__ void load(const T* vector, int first, int head_size, bool turned, int pairs) {
    if (first < head_size) own = load16_raw(vector + first);
    if (turned && first < 2 * pairs) partner = load16_raw(vector + (first < pairs ? first + pairs : first - pairs));
  }
  // As if the turned vector had been stored in between.
  template <typename T>
  __device__ __forceinline__ void turn(Rotary rotary, int pairs, const char* rotation, int first, float (&x)[8]) const {
    unpack16<T>(own, x);
    const auto* const turns = reinterpret_cast<const uint32_t*>(rotation);
    if (rotary == Rotary::kHalf && first < 2 * pairs) {  // halves are multiples of eight
      float other[8];
      unpack16<T>(partner, other);
      const bool low = first < pairs;
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float2 by = unpack2<T>(turns[(low ? first : first - pairs) + i]);
        x[i] = low ? x[i] * by.x - other[i] * by.y : x[i] * by.x + other[i] * by.y;
      }
    } else if (rotary == Rotary::kInterleaved && first < 2 * pairs) {
#pragma unroll
      for (int i = 0; i < 8; i += 2) {
        if (first + i >= 2 * pairs) continue;
        const float2 by = unpack2<T>(turns[(first + i) / 2]);
        const float even = x[i];
        x[i] = even * by.x - x[i + 1] * by.y;
        x[i + 1] = x[i + 1] * by.x + even * by.y;
      }
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) x[i] = round_to<T>(x[i]);
  }
};

// Key and value of the new token for the one warp that needs them: encoded, kept in shared memory, written to their page.
template <typename T, typename Format, int kHead, int kTiles>
struct NewestVectors {
  using Memory = AppendMemory<Format, kHead, kTiles>;
  using Shape = typename Memory::Shape;
  static constexpr StorageFormat kStored = kStorageOf<Format>;
  static constexpr int kLanes = kHead / 8, kRounds = (2 * kLanes + 31) / 32;
  EightChannels channels[kRounds];
  int page;

  static __device__ __forceinline__ int vector_of(int round) {  // 0: the key, 1: the value
    return (round * 32 + static_cast<int>(threadIdx.x) % 32) / kLanes;
  }
  __device__ __forceinline__ void load(const AppendAttentionArguments& a, int pairs, const NewToken& token, int batch,
                                       int key_head) {
    page = a.decode.page_table[static_cast<int64_t>(batch) * a.decode.pages_per_sequence + token.place];
    const int first = static_cast<int>(threadIdx.x) % kLanes * 8;
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      const int vector = vector_of(round);
      const AppendSource& from = vector == 0 ? a.k : a.v;
      if (vector > 1) continue;
      channels[round].load(static_cast<const T*>(from.data) + batch * from.batch + key_head * from.head, first,
                           a.decode.head_size, a.rotary == Rotary::kHalf && vector == 0, pairs);
    }
  }
  __device__ __forceinline__ void store(const AppendAttentionArguments& a, int pairs, const NewToken& token, int key_head,
                                        char* shared) const {
    const int first = static_cast<int>(threadIdx.x) % kLanes * 8, head_size = a.decode.head_size;
    const bool written = token.written && page >= 0 && page < a.pages;
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      const int vector = vector_of(round);
      float x[8];
      channels[round].template turn<T>(vector == 0 ? a.rotary : Rotary::kNone, pairs, shared + Memory::kRotation, first, x);
      Scales scales = {};
      if constexpr (has_scales(kStored)) {
        Range<kStored> range;
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          if (first + i < head_size) range.include(x[i]);
        }
        range.reduce(kLanes);  // whole warps come here
        scales = range.scales();
      }
      if (vector > 1) continue;
      const StoredEight<kStored> stored = encode_eight<kStored>(x, scales);
      const AppendTarget& target = vector == 0 ? a.keys : a.values;
      store_stored<kStored, true>(shared + Memory::kNewest + vector * Shape::kRowBytes, first, head_size, stored);
      if (written) {
        store_stored<kStored, true>(
            target.pages + page * target.page + token.slot * target.slot + key_head * target.head, first, head_size,
            stored);
      }
      if constexpr (has_scales(kStored)) {
        if (first == 0) {
          store_scales<kStored>(shared + Memory::kNewestScales + 4 * vector, scales);
          if (written) {
            store_scales<kStored>(target.scales + page * target.scale_page + token.slot * target.scale_slot +
                                      key_head * target.scale_head,
                                  scales);
          }
        }
      }
    }
  }
};

// Takes the block's queries, eight elements a lane, and the new token. Everything is asked for before anything is used, and
// `meanwhile` is done until it comes. The token is encoded past the barrier, by the warp that attends to it: the others need
// not wait for that.
template <typename T, typename Format, int kHead, int kTiles, typename Meanwhile>
__device__ __forceinline__ void take_new_token(const AppendAttentionArguments& a, int pairs, const NewToken& token, int batch,
                                               int key_head, int first_head, int columns, char* shared,
                                               const Meanwhile& meanwhile) {
  using Memory = AppendMemory<Format, kHead, kTiles>;
  constexpr int kLanes = kHead / 8;
  constexpr int kRounds = (Memory::kColumns * kLanes + Memory::kThreads - 1) / Memory::kThreads;
  const DecodeArguments& d = a.decode;
  const int first = static_cast<int>(threadIdx.x) % kLanes * 8;
  const bool takes_token = static_cast<int>(threadIdx.x) / 32 == token.warp;
  EightChannels channels[kRounds];
  NewestVectors<T, Format, kHead, kTiles> newest;
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const int column = (round * Memory::kThreads + static_cast<int>(threadIdx.x)) / kLanes;
    if (column >= columns) continue;
    channels[round].load(static_cast<const T*>(d.q) + batch * d.q_batch + (first_head + column) * d.q_head, first,
                         d.head_size, a.rotary == Rotary::kHalf, pairs);
  }
  if (takes_token) newest.load(a, pairs, token, batch, key_head);
  meanwhile();
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const int column = (round * Memory::kThreads + static_cast<int>(threadIdx.x)) / kLanes;
    float x[8];
    channels[round].template turn<T>(a.rotary, pairs, shared + Memory::kRotation, first, x);
    // Columns without a query hold zeros.
    if (column < Memory::kColumns) lay_query<Format>(shared + Memory::kQueries + column * Memory::kQueryPitch, first, x);
    if constexpr (kSumsQueries<Format>) {
      float sum = 0.0f;
#pragma unroll
      for (int i = 0; i < 8; ++i) sum += round_to<typename Format::Compute>(x[i]);
      sum = warp_sum<kLanes>(sum);
      if (first == 0 && column < Memory::kColumns) reinterpret_cast<float*>(shared + Memory::kQuerySums)[column] = sum;
    }
  }
  __syncthreads();  // queries are in place
  if (takes_token) {
    newest.store(a, pairs, token, key_head, shared);
    __syncwarp();
  }
}

// Puts the new token into row `row` of a stage, in place of what its page held before. All lanes of the warp.
template <typename Format, int kHead, int kTiles>
__device__ __forceinline__ void place_new_token(char* keys, int row, int row_bytes, const char* shared) {
  using Memory = AppendMemory<Format, kHead, kTiles>;
  using Shape = typename Memory::Shape;
  char* const values = keys + Shape::kKeys * Shape::kRowBytes;
#pragma unroll 1
  for (int index = threadIdx.x % 32; index < 2 * row_bytes / 16; index += 32) {
    const int is_value = index >= row_bytes / 16, at = (index - is_value * (row_bytes / 16)) * 16;
    *reinterpret_cast<uint4*>((is_value ? values : keys) + staged_at<Format, Shape::kRowBytes>(row, at)) =
        *reinterpret_cast<const uint4*>(shared + Memory::kNewest + is_value * Shape::kRowBytes + at);
  }
  if constexpr (Format::kScale != ScaleKind::kNone) {
    if (threadIdx.x % 32 == 0) {
      *reinterpret_cast<uint2*>(values + Shape::kKeys * Shape::kRowBytes + 8 * row) =
          *reinterpret_cast<const uint2*>(shared + Memory::kNewestScales);
    }
  }
  __syncwarp();  // the row stands for all lanes
}

}  // namespace limen
