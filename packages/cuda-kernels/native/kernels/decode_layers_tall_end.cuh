// How a product of decode_layers_tall.cuh ends. Each warp of the multiplying group has the sums of a tile for all rows of x
// in its registers: norm, rotation, gate or residual, then sixteen bytes of each row are stored at once.
//
// Where two blocks have tiles in common, each has sums of half the length. Those of two tiles go to the other block's
// shared memory, so both finish two.

#pragma once

#include "device/activation.cuh"
#include "device/cluster.cuh"
#include "device/mma.cuh"
#include "kernels/decode_layers_tall.cuh"

namespace limen {

template <bool kOpens, int kTiles, int kHeadSize, typename T>
struct TallProduct {
  using Phase = TallPhase<kOpens, kHeadSize, T>;
  using Sums = TallSums<kTiles>;

  const Phase& phase;
  LayersShared<kTiles, kHeadSize>& shared;
  TallShared<kTiles>& own;
  uint32_t& parity;  // of the barrier that this warp waits for, to receive or to send
  const DecodeLayersArguments<T>& a = phase.a;
  const int thread = made_here(threadIdx.x), lane = thread % 32, warp = thread / 32, g = lane / 4, t = lane % 4;

  __device__ __forceinline__ void run(Ring& ring, Ring& vectors) const {
    for (int first = phase.first; first < phase.tiles; first += phase.kTogether * phase.stride) {
      const int members = phase.members(first);
      Sums sum[Phase::kPanels] = {};
      if constexpr (kOpens) {
        if (phase.steps_of_stage(members) == 2) {
          multiply_panels<2, 2, kTiles>(phase, members, ring, vectors, sum);  // perhaps with what lies behind the tiles
        } else {
          multiply_panels<3, 1, kTiles>(phase, members, ring, vectors, sum);
        }
#pragma unroll 1
        for (int panel = 0; panel < phase.kPanels; ++panel) {
          const int member = panel * kGroupWarps + warp;
          if (member >= members) break;
          Sums mine;
#pragma unroll
          for (int i = 0; i < 4 * kTiles; ++i) mine[i] = panel == 0 ? sum[0][i] : panel == 1 ? sum[1][i] : sum[2][i];
          finish_opening(first + member * phase.stride, mine);
        }
      } else {
        const int tile = first + warp * phase.stride;
        const bool exists = warp < members, finishes = exists && warp / 2 == static_cast<int>(blockIdx.x % 2);
        uint32_t residual[2][kTiles] = {};
        if (finishes) load_residual(tile, residual);
        multiply_panels<1, Phase::kChunkSteps, kTiles>(phase, members, ring, vectors, sum);
        const int next = first + phase.kTogether * phase.stride;
        if (exists) add_halves(finishes, first > phase.first, warp < phase.members(next), sum[0]);
        if (finishes) finish_closing(tile, sum[0], residual);
      }
    }
  }

  // Receives the other block's share of the sums, or sends it. `follows`: tiles of this phase have been sent before;
  // `continues`: others will be. From one phase to the next nobody has to tell that there is room again: the next x that
  // the other block reads as a whole includes what has been made of these sums.
  __device__ __forceinline__ void add_halves(bool receives, bool follows, bool continues, Sums& sum) const {
    uint64_t *const received = own.received + warp % 2, *const room = own.room + warp % 2;
    float4* const parts = own.sums[warp % 2] + lane;
    const int other = blockIdx.x % 2 ^ 1;
    const uint32_t target = address_in_cluster(parts, other), barrier = address_in_cluster(received, other);
    if (receives && lane == 0) arrive_expecting(received, kTiles * 32 * sizeof(float4));
    if (receives || follows) {
      wait_for_phase(receives ? received : room, parity);
      parity ^= 1;
    }
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      if (receives) {
        const float4 part = parts[i * 32];
        sum[4 * i] += part.x, sum[4 * i + 1] += part.y, sum[4 * i + 2] += part.z, sum[4 * i + 3] += part.w;
      } else {
        const float4 part = make_float4(sum[4 * i], sum[4 * i + 1], sum[4 * i + 2], sum[4 * i + 3]);
        send_in_cluster(target + i * 32 * sizeof(float4), part, barrier);
      }
    }
    __syncwarp();
    if (receives && continues && lane == 0) arrive_in_cluster(room, other);
  }

  // What is to be added in the end, asked for before the product: rows 8i + g, channels 2t and 2t + 1 of either half. This
  // warp has stored them itself.
  __device__ __forceinline__ void load_residual(int tile, uint32_t (&residual)[2][kTiles]) const {
    const T* const place = phase.residual() + (g * a.hidden_size + tile * 16 + 2 * t);
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      if (i * 8 + g >= a.batch) continue;
      const auto* const words = reinterpret_cast<const uint32_t*>(place + i * 8 * a.hidden_size);
      residual[0][i] = __ldcg(words), residual[1][i] = __ldcg(words + 4);
    }
  }

  // Words 4i .. 4i + 3 of sum are rows 8i + 2t and 8i + 2t + 1 of x for the weight rows g and g + 8 of the tile.
  __device__ __forceinline__ void finish_opening(int tile, Sums& sum) const {
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      const float2 factors = *reinterpret_cast<const float2*>(shared.squares[0] + i * 8 + 2 * t);
      sum[4 * i] *= factors.x, sum[4 * i + 1] *= factors.y, sum[4 * i + 2] *= factors.x, sum[4 * i + 3] *= factors.y;
    }
    const TileRows rows = phase.rows_of(tile);
    uint32_t upper[kTiles], lower[kTiles];
    if (phase.second) {
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
        upper[i] = pack2<T>(silu<T>(sum[4 * i]) * sum[4 * i + 2], silu<T>(sum[4 * i + 1]) * sum[4 * i + 3]);
      }
      const uint4 words = gather(upper);
      if (stores()) {
        store_shared_by_blocks(a.active(phase.layer, phase.width) + int64_t{row()} * a.feed_forward + rows.base, words);
      }
      return;
    }
    const int kind = rows.base / phase.width, within = rows.base % phase.width;
    const int head = within / kHeadSize, d = within % kHeadSize;
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      float first[2], second[2];
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        first[j] = round_to<T>(sum[4 * i + j]), second[j] = round_to<T>(sum[4 * i + 2 + j]);
        if (kind < 2) {
          const float2 turn = unpack2<T>(shared.turns[i * 8 + 2 * t + j][d + g]);
          const float low = first[j];
          first[j] = low * turn.x - second[j] * turn.y;
          second[j] = second[j] * turn.x + low * turn.y;
        }
      }
      upper[i] = pack2<T>(first[0], first[1]), lower[i] = pack2<T>(second[0], second[1]);
    }
    const uint4 words[2] = {gather(upper), gather(lower)};
    if (!stores()) return;
    T* const target = a.vectors(phase.layer) + int64_t{row()} * 3 * phase.width + rows.base;
    store_shared_by_blocks(target, words[0]);
    store_shared_by_blocks(target + rows.distance, words[1]);
    const int64_t slot = shared.slots[row()];
    if (kind == 0 || slot < 0) return;
    // For the steps to come.
    T* const cached = (kind == 1 ? a.keys : a.values) + phase.layer * a.page_layer + slot + head * a.head + d;
    *reinterpret_cast<uint4*>(cached) = words[0];
    *reinterpret_cast<uint4*>(cached + rows.distance) = words[1];
  }

  __device__ __forceinline__ void finish_closing(int tile, Sums& sum, const uint32_t (&residual)[2][kTiles]) const {
    uint32_t upper[kTiles], lower[kTiles];
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      const float2 added = unpack2<T>(transpose_matrix(residual[0][i]));
      const float2 added_below = unpack2<T>(transpose_matrix(residual[1][i]));
      upper[i] = pack2<T>(sum[4 * i] + added.x, sum[4 * i + 1] + added.y);
      lower[i] = pack2<T>(sum[4 * i + 2] + added_below.x, sum[4 * i + 3] + added_below.y);
    }
    const uint4 words[2] = {gather(upper), gather(lower)};
    if (!stores()) return;
    T* const to = !phase.second                   ? a.middle(phase.layer, phase.width)
                  : phase.layer + 1 == a.layers ? a.y
                                                : a.hidden(phase.layer, phase.width);
    T* const target = to + int64_t{row()} * a.hidden_size + tile * 16;
    store_shared_by_blocks(target, words[0]);
    store_shared_by_blocks(target + 8, words[1]);
  }

  // The row of x whose results this lane stores.
  __device__ __forceinline__ int row() const { return 8 * t + g; }
  __device__ __forceinline__ bool stores() const { return t < kTiles && row() < a.batch; }

  // Lane 4·g + t has, of channel g, rows 8i + 2t and 8i + 2t + 1 in word i; it receives all eight channels of row 8t + g.
  // With two words only lanes with t < 2 do.
  __device__ __forceinline__ uint4 gather(uint32_t (&words)[kTiles]) const {
#pragma unroll
    for (int i = 0; i < kTiles; ++i) words[i] = transpose_matrix(words[i]);
    const bool odd = t % 2 != 0, high = t >= 2;
#pragma unroll
    for (int i = 0; i < kTiles; i += 2) {
      const uint32_t other = __shfl_xor_sync(kFullWarp, odd ? words[i] : words[i + 1], 1);
      (odd ? words[i] : words[i + 1]) = other;
    }
    if constexpr (kTiles == 2) {
      return make_uint4(words[0], words[1], __shfl_xor_sync(kFullWarp, words[0], 2), __shfl_xor_sync(kFullWarp, words[1], 2));
    } else {
      const uint32_t x = __shfl_xor_sync(kFullWarp, high ? words[0] : words[2], 2);
      const uint32_t y = __shfl_xor_sync(kFullWarp, high ? words[1] : words[3], 2);
      return high ? make_uint4(x, y, words[2], words[3]) : make_uint4(words[0], words[1], x, y);
    }
  }
};

// The users' part of a product; a turn is half of a layer.
template <bool kOpens, int kTiles, int kHeadSize, typename T>
__device__ __forceinline__ void multiply_tall(const DecodeLayersArguments<T>& a, LayersShared<kTiles, kHeadSize>& shared,
                                              TallShared<kTiles>& own, int turn, Ring& ring, Ring& vectors,
                                              uint32_t& parity) {
  const TallPhase<kOpens, kHeadSize, T> phase(a, turn);
  if (__shfl_sync(kFullWarp, threadIdx.x / kGroupThreads, 0) == 0) {
    TallProduct<kOpens, kTiles, kHeadSize, T>{phase, shared, own, parity}.run(ring, vectors);
  } else {
    TallReader<kOpens, kTiles, kHeadSize, T>{phase, shared}.run(vectors);
    ring.advance(phase.stages());
  }
}

}  // namespace limen
