// Attention of decode_layers: every block takes keys of one head at a time. The copying warp brings cached keys and
// values in stages of kBytes; the newest key and value come from the phase before.
//
// Geometry: a stage is shared evenly by the eight warps; D / 8 neighbouring lanes ↔ one key, eight channels a lane. Lanes
// that share channels keep a running maximum, total and sum of values (https://arxiv.org/abs/1805.02867), merged at the
// end of the head's keys.

#pragma once

#include "device/block_part.cuh"
#include "device/reduce.cuh"
#include "kernels/decode_layers_common.cuh"

namespace limen {

template <int kHeadSize, int kBytes>
inline constexpr int kKeysOfStage = kBytes / (2 * kHeadSize);

inline __host__ __device__ int units_of_attention(int batch, int heads, int splits) { return batch * heads * splits; }

// The copying warp's part.
template <int kHeadSize, int kBytes, typename T>
__device__ void stream_keys(const DecodeLayersArguments<T>& a, int layer, RingFiller& filler) {
  constexpr int kKeys = kKeysOfStage<kHeadSize, kBytes>;
  constexpr uint32_t kVectorBytes = kHeadSize * sizeof(T);
  const int lane = threadIdx.x % 32;
  // Keys that lie side by side: as many of a page as a stage may begin with, or one where heads lie between them.
  int together = 1;
  if (a.slot == kHeadSize) {
    together = kKeys & -kKeys;  // a power of two
    while (a.page_size % together != 0) together /= 2;
  }
  const int units = units_of_attention(a.batch, a.heads, a.splits);
  for (int unit = blockIdx.x; unit < units; unit += gridDim.x) {
    const KeyShare share = KeyShare::of<kKeys>(a, unit);
    const int64_t base = layer * a.page_layer + share.head * a.head;
    for (int first = share.first; first < share.last; first += kKeys) {
      const int count = min(kKeys, share.last - first);
      // The page numbers are read before the wait for room, which they would otherwise prolong.
      int64_t offset = 0;
      const auto find = [&](int key) {
        offset = base + a.place_of(share.row, first + key);
      };
      if (lane * together < count) find(lane * together);
#pragma unroll
      for (int kind = 0; kind < 2; ++kind) {
        uint64_t* full;
        char* const stage = filler.next(count * kVectorBytes, full);
        const T* const source = kind == 0 ? a.keys : a.values;
        for (int key = lane * together; key < count; key += 32 * together) {
          if (key >= 32 * together || (kind == 1 && count > 32 * together)) find(key);
          copy_bulk(stage + key * kVectorBytes, source + offset, min(together, count - key) * kVectorBytes, full,
                    filler.policy);
        }
      }
    }
  }
}

// A running softmax over some keys, for eight channels.
struct Gathered {
  float highest = -INFINITY, total = 0.0f, sum[8] = {};

  __device__ void merge(float other_highest, float other_total, const float (&other)[8]) {
    const float top = fmaxf(highest, other_highest);
    if (top == -INFINITY) return;
    const float keep = exp2f(highest - top), add = exp2f(other_highest - top);
    total = total * keep + other_total * add;
#pragma unroll
    for (int i = 0; i < 8; ++i) sum[i] = sum[i] * keep + other[i] * add;
    highest = top;
  }
};

template <int kLanes>
__device__ __forceinline__ float dot8(const float (&q)[8], const float (&k)[8]) {
  float score = 0.0f;
#pragma unroll
  for (int i = 0; i < 8; ++i) score = fmaf(q[i], k[i], score);
  return warp_sum<kLanes>(score);
}

// Adds `count` keys.
template <int kHeadSize, int kBytes, typename T>
__device__ __forceinline__ void gather_stage(const char* keys, const char* values, int count, const float (&q)[8],
                                             Gathered& state) {
  constexpr int kLanes = kHeadSize / 8, kAtOnce = 32 / kLanes, kKeysOfWarp = kKeysOfStage<kHeadSize, kBytes> / kUserWarps;
  constexpr int kTurns = kKeysOfWarp / kAtOnce;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int mine = warp * kKeysOfWarp + lane / kLanes;  // and every kAtOnce-th key after it
  if (warp * kKeysOfWarp >= count) return;
  const int place = mine * kHeadSize * static_cast<int>(sizeof(T)) + lane % kLanes * 16;
  constexpr int kTurnBytes = kAtOnce * kHeadSize * static_cast<int>(sizeof(T));
  float scores[kTurns], highest = state.highest;
#pragma unroll
  for (int turn = 0; turn < kTurns; ++turn) {
    float k[8];
    unpack16<T>(load16_raw(keys + place + turn * kTurnBytes), k);
    const float score = dot8<kLanes>(q, k);
    // What lies behind the last key is left over from another stage.
    scores[turn] = mine + turn * kAtOnce < count ? score : -INFINITY;
    highest = fmaxf(highest, scores[turn]);
  }
  if (highest == -INFINITY) return;  // of these lanes only; no exchange between lanes follows
  const float keep = exp2f(state.highest - highest);
  state.total *= keep;
#pragma unroll
  for (int i = 0; i < 8; ++i) state.sum[i] *= keep;
#pragma unroll
  for (int turn = 0; turn < kTurns; ++turn) {
    if (mine + turn * kAtOnce >= count) break;
    float v[8];
    unpack16<T>(load16_raw(values + place + turn * kTurnBytes), v);
    const float weight = exp2f(scores[turn] - highest);
    state.total += weight;
#pragma unroll
    for (int i = 0; i < 8; ++i) state.sum[i] = fmaf(weight, v[i], state.sum[i]);
  }
  state.highest = highest;
}

// The users' part.
template <int kTiles, int kHeadSize, int kBytes, typename T>
__device__ void attend(const DecodeLayersArguments<T>& a, int layer, LayersShared<kTiles, kHeadSize>& shared, Ring& ring) {
  constexpr int kKeys = kKeysOfStage<kHeadSize, kBytes>, kLanes = kHeadSize / 8;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, channel = lane % kLanes * 8;
  const int width = a.heads * kHeadSize;
  const int units = units_of_attention(a.batch, a.heads, a.splits);
  for (int unit = blockIdx.x; unit < units; unit += gridDim.x) {
    const KeyShare share = KeyShare::of<kKeys>(a, unit);
    const T* const vector = a.vectors(layer) + int64_t{share.row} * 3 * width + share.head * kHeadSize + channel;
    // The newest key is one group of lanes' work.
    const bool takes_newest = share.newest && warp == 0 && lane < kLanes;
    uint4 raw[3] = {load_shared_by_blocks(vector), {}, {}};  // query, newest key, newest value
    if (takes_newest) {
      raw[1] = load_shared_by_blocks(vector + width);
      raw[2] = load_shared_by_blocks(vector + 2 * width);
    }
    await_all(raw, [&](int i) { return vector + i * width; });
    float q[8];
    unpack16<T>(raw[0], q);
#pragma unroll
    for (int i = 0; i < 8; ++i) q[i] *= a.score_scale;

    Gathered state;
    for (int first = share.first; first < share.last; first += kKeys) {
      const Ring values = ring.next();
      ring.wait_until_full();
      values.wait_until_full();
      gather_stage<kHeadSize, kBytes, T>(ring.stage(), values.stage(), min(kKeys, share.last - first), q, state);
      ring.leave<2>();
    }
    float k[8], v[8];
    unpack16<T>(raw[1], k);
    unpack16<T>(raw[2], v);
    const float score = dot8<kLanes>(q, k);  // by all lanes
    if (takes_newest) state.merge(score, 1.0f, v);

    // Lanes of one warp that hold the same channels of other keys, then the warps.
#pragma unroll
    for (int distance = kLanes; distance < 32; distance *= 2) {
      const float highest = __shfl_xor_sync(kFullWarp, state.highest, distance);
      const float total = __shfl_xor_sync(kFullWarp, state.total, distance);
      float sum[8];
#pragma unroll
      for (int i = 0; i < 8; ++i) sum[i] = __shfl_xor_sync(kFullWarp, state.sum[i], distance);
      state.merge(highest, total, sum);
    }
    if (lane < kLanes) {
#pragma unroll
      for (int i = 0; i < 8; ++i) shared.attention.sums[warp][channel + i] = state.sum[i];
      if (lane == 0) shared.attention.shares[warp] = make_float2(state.highest, state.total);
    }
    sync_threads_below<kUserThreads>();
    if (threadIdx.x < kHeadSize) {
      float highest = -INFINITY, total = 0.0f, sum = 0.0f;
#pragma unroll
      for (int w = 0; w < kUserWarps; ++w) highest = fmaxf(highest, shared.attention.shares[w].x);
#pragma unroll
      for (int w = 0; w < kUserWarps; ++w) {
        const float2 of_warp = shared.attention.shares[w];
        const float factor = of_warp.y > 0.0f ? exp2f(of_warp.x - highest) : 0.0f;
        total = fmaf(of_warp.y, factor, total);
        sum = fmaf(shared.attention.sums[w][threadIdx.x], factor, sum);
      }
      // Lanes store what they have in sixteen bytes at a time.
      const int64_t place = int64_t{share.row} * a.splits + share.split;
      const int d = share.head * kHeadSize + threadIdx.x;
      if (a.splits == 1) {
        const float value = total > 0.0f ? sum / total : 0.0f;
        const uint32_t pair = pack2<T>(value, __shfl_down_sync(kFullWarp, value, 1));
        uint4 words = make_uint4(pair, 0, 0, 0);
        words.y = __shfl_down_sync(kFullWarp, pair, 2);
        words.z = __shfl_down_sync(kFullWarp, pair, 4);
        words.w = __shfl_down_sync(kFullWarp, pair, 6);
        if (threadIdx.x % 8 == 0) store_shared_by_blocks(a.attended(layer, width) + place * width + d, words);
      } else {
        uint4 words = make_uint4(__float_as_uint(sum), 0, 0, 0);
        words.y = __shfl_down_sync(kFullWarp, words.x, 1);
        words.z = __shfl_down_sync(kFullWarp, words.x, 2);
        words.w = __shfl_down_sync(kFullWarp, words.x, 3);
        if (threadIdx.x % 4 == 0) store_shared_by_blocks(a.sums(layer, width) + place * width + d, words);
        if (threadIdx.x == 0) {
          store_shared_by_blocks(a.shares(layer, width) + (place * a.heads + share.head) * 4,
                                 make_uint4(__float_as_uint(highest), __float_as_uint(total), 0, 0));
        }
      }
    }
    sync_threads_below<kUserThreads>();  // the sums have been read; the next head may write its own
  }
}

}  // namespace limen
