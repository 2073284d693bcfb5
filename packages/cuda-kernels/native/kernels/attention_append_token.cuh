// The new token of a decode step: its queries are turned and laid down as words of fragments, its key and value are
// turned, brought into their storage format, written to their page and kept in shared memory as one more key.

#pragma once

#include "kernels/attention_append_memory.cuh"

namespace limen {

// Where the new token of a sequence goes, and what this block has to do with it.
struct NewToken {
  int page, slot;
  int seen;     // its number among the seen keys, or −1
  bool needed;  // the block attends to it or stores it
  bool written;  // the block stores it
};

__device__ __forceinline__ NewToken find_new_token(const AppendAttentionArguments& a, int batch, int length, int end,
                                                   const KeyRange& range, bool first_split, bool first_chunk) {
  const DecodeArguments& d = a.decode;
  NewToken token = {0, 0, -1, false, false};
  const int position = a.positions[batch];
  if (position < 0 || position >= d.pages_per_sequence * d.page_size) return token;
  const int place = d.page_shift >= 0 ? position >> d.page_shift : position / d.page_size;
  token.slot = position - place * d.page_size;
  token.page = d.page_table[static_cast<int64_t>(batch) * d.pages_per_sequence + place];
  if (token.page < 0 || token.page >= a.pages) return token;
  const int hidden = length - end;
  if (position < length && (hidden == 0 || position < d.sinks || position >= length - d.window)) {
    token.seen = position < d.sinks ? position : position - hidden;
  }
  const bool mine = token.seen >= 0 ? token.seen >= range.first && token.seen < range.last : first_split;
  token.needed = mine && (first_chunk || token.seen >= 0);
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

// Takes the token's vectors: key and value first, then the block's queries. A lane holds eight elements. Everything is
// asked for before anything is used. A barrier of the block must follow.
template <typename T, typename Format, int kHead, int kTiles>
__device__ __forceinline__ void take_new_token(const AppendAttentionArguments& a, int pairs, const NewToken& token, int batch,
                                               int key_head, int first_head, int columns, char* shared) {
  using Memory = AppendMemory<Format, kHead, kTiles>;
  using Shape = DecodeShape<Format, kHead>;
  constexpr StorageFormat kStored = kStorageOf<Format>;
  constexpr int kLanes = kHead / 8;
  constexpr int kRounds = ((Memory::kColumns + 2) * kLanes + Memory::kThreads - 1) / Memory::kThreads;
  const DecodeArguments& d = a.decode;
  const float* const cosines = reinterpret_cast<const float*>(shared + Memory::kRotation);
  const float* const sines = cosines + kHead / 2;
  const int first = static_cast<int>(threadIdx.x) % kLanes * 8;
  uint4 raw[kRounds] = {}, raw_partner[kRounds] = {};
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const int vector = (round * Memory::kThreads + static_cast<int>(threadIdx.x)) / kLanes;
    const bool present = vector < 2 ? token.needed : vector < columns + 2;
    const T* const source =
        vector >= 2 ? static_cast<const T*>(d.q) + batch * d.q_batch + (first_head + vector - 2) * d.q_head
        : vector == 0 ? static_cast<const T*>(a.k.data) + batch * a.k.batch + key_head * a.k.head
                      : static_cast<const T*>(a.v.data) + batch * a.v.batch + key_head * a.v.head;
    if (present && first < d.head_size) raw[round] = load16_raw(source + first);
    if (present && a.rotary == Rotary::kHalf && vector != 1 && first < 2 * pairs) {  // halves are multiples of eight
      raw_partner[round] = load16_raw(source + (first < pairs ? first + pairs : first - pairs));
    }
  }
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const int vector = (round * Memory::kThreads + static_cast<int>(threadIdx.x)) / kLanes;
    float x[8];
    unpack16<T>(raw[round], x);
    if (a.rotary != Rotary::kNone && vector != 1) {
      float partner[8];
      unpack16<T>(raw_partner[round], partner);
      rotate_channels<T, true>(a.rotary, pairs, cosines, sines, first, partner, x);
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) x[i] = round_to<T>(x[i]);  // as if it had been stored in between
    if (vector >= 2 && vector < columns + 2) {
      lay_query<Format>(shared + Memory::kQueries + (vector - 2) * Memory::kQueryPitch, first, x);
    }
    if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
      float sum = 0.0f;
#pragma unroll
      for (int i = 0; i < 8; ++i) sum += round_to<typename Format::Compute>(x[i]);
      sum = warp_sum<kLanes>(sum);
      if (first == 0 && vector >= 2 && vector < columns + 2) {
        reinterpret_cast<float*>(shared + Memory::kQuerySums)[vector - 2] = sum;
      }
    }
    if (round > 0) continue;  // key and value are in the first round
    Scales scales = {};
    if constexpr (has_scales(kStored)) {
      Range<kStored> range;
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        if (first + i < d.head_size) range.include(x[i]);
      }
      range.reduce(kLanes);  // whole warps come here
      scales = range.scales();
    }
    if (vector >= 2 || !token.needed) continue;
    const StoredEight<kStored> stored = encode_eight<kStored>(x, scales);
    const AppendTarget& target = vector == 0 ? a.keys : a.values;
    char* const newest = shared + Memory::kNewest + vector * Shape::kRowBytes;
    store_stored<kStored, true>(newest, first, d.head_size, stored);
    if (token.written) {
      store_stored<kStored, true>(target.pages + token.page * target.page + token.slot * target.slot + key_head * target.head,
                                  first, d.head_size, stored);
    }
    if constexpr (has_scales(kStored)) {
      if (first == 0) {
        store_scales<kStored>(shared + Memory::kNewestScales + 4 * vector, scales);
        if (token.written) {
          store_scales<kStored>(target.scales + token.page * target.scale_page + token.slot * target.scale_slot +
                                    key_head * target.scale_head,
                                scales);
        }
      }
    }
  }
}

// Puts the new token into row `row` of a stage, in place of what its page held before. All lanes of the warp.
template <typename Format, int kHead, int kTiles>
__device__ __forceinline__ void place_new_token(char* keys, int row, int row_bytes, const char* shared) {
  using Memory = AppendMemory<Format, kHead, kTiles>;
  using Shape = DecodeShape<Format, kHead>;
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
