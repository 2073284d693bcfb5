// What the parts of decode_layers share: arguments, the plan of a step, and how the sixteen rows of a tile of weights are
// chosen.
//
// One launch takes a token of every sequence through all layers. Of each block (one on each multiprocessor) one warp
// only copies: weights and cached keys and values, in the order in which the others will need them, through a ring of
// stages of 16 or 24 KiB that takes all the shared memory there is. Nothing it copies depends on the step's results, so
// it never waits for them: while the other eight warps wait for the last values of one product, the next one's weights
// come in.
//
// A layer is five phases. No barrier stands between them: who needs a value looks until it is there (see awaited.cuh).
//   query, key, value  norm folded in; rotates queries and keys; appends keys and values to their pages
//   attention          block ↔ keys of one head; several blocks of a head leave sums for the next phase to merge
//   output             + residual
//   gate, up           norm folded in; silu(gate) · up
//   down               + residual

#pragma once

#include <cstdint>

#include "device/awaited.cuh"
#include "device/bulk_copy.cuh"
#include "device/convert.cuh"
#include "device/rotary.cuh"
#include "device/vector_io.cuh"

namespace limen {

inline constexpr int kLayersRowsMost = 32;
inline constexpr int kUserWarps = 8;  // warps that compute; one more copies
inline constexpr int kUserThreads = 32 * kUserWarps;
// Registers are dealt out to groups of four warps: the copying warp's group needs few, so the others can have more.
inline constexpr int kLayersThreads = kUserThreads + 128;
inline constexpr int kCopyRegisters = 40, kUserRegisters = 232;
inline constexpr int kBlockBytes = 128;
inline constexpr int kWarpBytes = 2 * kBlockBytes;             // of one weight row, for one warp
inline constexpr int kSegmentBytes = kUserWarps * kWarpBytes;  // of one weight row, in one stage
inline constexpr int kStageBytes = 8 * kSegmentBytes;          // eight rows
inline constexpr int kMostStages = 16;
inline constexpr int kStagesOnTheWay = 4;  // enough to keep the memory busy; see RingFiller
// Layers whose scratch exists at a time: few enough to stay in L2. While its copies for a layer begin, a block clears its
// share of the scratch of six layers before. By then all blocks are through with that: each has a part in every product,
// and none that copies is more than two layers ahead of the products that wait for all others.
inline constexpr int kScratchLayers = 8;
inline constexpr int kLayersUntilCleared = 6;
// One row, or two, would leave most blocks without a head: so many blocks share one.
inline constexpr int kSplitUnits = 4;
inline constexpr int splits_of_attention(int batch) { return batch <= 2 ? kSplitUnits / batch : 1; }
inline constexpr int kSideBySide = 2;  // tiles that end together, with eight rows at most
inline constexpr int kHeldValues = 4096;  // of a row of x that the user warps hold in registers between them

enum class Phase { kQueryKeyValue, kOutput, kGateUp, kDown };

// Weights of all layers, one behind the other: [L, 3·H·D, C], [L, C, H·D], [L, 2·F, C], [L, C, F].
struct LayerWeights {
  const void *query_key_value, *output, *gate_up, *down;
};

template <typename T>
struct DecodeLayersArguments {
  const T* x;                          // [B, C]
  T* y;                                // [B, C]
  const T *attention_norm, *mlp_norm;  // [L, C]
  LayerWeights weights;
  // Of all layers, one behind the other; null for weights of T.
  const float *query_key_value_scales, *output_scales, *gate_up_scales, *down_scales;
  T *keys, *values;  // [L, G, P, H, D]; strides in elements
  int64_t page_layer, page, slot, head;
  const int *page_table, *positions, *rotary_positions, *lengths;
  char* scratch;  // what blocks pass to one another, a part for each of kScratchLayers; full of ones before the launch
  int64_t layer_bytes;
  int layers, batch, heads, hidden_size, feed_forward, pages, page_size, pages_per_sequence;
  int splits;  // S: blocks that share a head of a row
  int stages;
  float epsilon, score_scale;  // the latter times log2(e)

  __device__ int length_of(int row) const { return max(0, min(lengths[row], pages_per_sequence * page_size)); }

  // Where a position of a row stands in its page, in elements from the layer's first page. A released page is −1; it is
  // never seen, but its number must not become an address.
  __device__ int64_t place_of(int row, int position) const {
    const int column = position / page_size;
    const int page = min(max(0, page_table[int64_t{row} * pages_per_sequence + column]), pages - 1);
    return page * this->page + (position - column * page_size) * slot;
  }
  // Where a row's new key goes, likewise; −1: nowhere.
  __device__ int64_t slot_of(int row) const {
    const int position = positions[row], column = position / page_size;
    if (position < 0 || column >= pages_per_sequence) return -1;
    const int page = page_table[int64_t{row} * pages_per_sequence + column];
    return page < 0 || page >= pages ? -1 : page * this->page + (position - column * page_size) * slot;
  }

  // The parts of a layer's scratch. All sizes are multiples of sixteen bytes.
  __device__ char* scratch_of(int layer) const { return scratch + layer % kScratchLayers * layer_bytes; }
  __device__ T* vectors(int layer) const { return reinterpret_cast<T*>(scratch_of(layer)); }  // [B, 3·H·D]
  __device__ T* middle(int layer, int width) const { return vectors(layer) + int64_t{batch} * 3 * width; }  // [B, C]
  __device__ T* active(int layer, int width) const { return middle(layer, width) + int64_t{batch} * hidden_size; }  // [B, F]
  __device__ T* hidden(int layer, int width) const { return active(layer, width) + int64_t{batch} * feed_forward; }  // [B, C]
  // What attention has found: [B, H·D], or, when several blocks share a head, their sums [B, S, H·D] in f32 and then their
  // maxima and totals, [B, S, H, 4].
  __device__ T* attended(int layer, int width) const { return hidden(layer, width) + int64_t{batch} * hidden_size; }
  __device__ float* sums(int layer, int width) const { return reinterpret_cast<float*>(attended(layer, width)); }
  __device__ float* shares(int layer, int width) const { return sums(layer, width) + int64_t{batch} * splits * width; }

  int64_t bytes_of_layer(int width) const {
    const int64_t found = splits == 1 ? width * static_cast<int64_t>(sizeof(T)) : splits * (width + heads * 4) * int64_t{4};
    return batch * ((3 * width + 2 * hidden_size + feed_forward) * static_cast<int64_t>(sizeof(T)) + found);
  }
};

// What is computed from this is computed where it is used. Kept for all layers, such numbers take the registers that
// products need.
__device__ __forceinline__ int made_here(int value) {
  asm volatile("" : "+r"(value));
  return value;
}

// A product of the step.
struct PhaseShape {
  int rows, length;  // of the weight of one layer
  int tiles;         // of sixteen weight rows
  int segments;      // of a row
};

// Sixteen weight rows: eight from `base` on, and eight at a distance. What belongs together stands in one tile: the two
// channels that a rotation turns, a gate and its up.
struct TileRows {
  int base, distance;
};

template <Phase kPhase, int kHeadSize, typename T>
__device__ __forceinline__ TileRows rows_of_tile(const DecodeLayersArguments<T>& a, int tile) {
  if constexpr (kPhase == Phase::kQueryKeyValue) {
    constexpr int kTilesOfHead = kHeadSize / 16;
    const int head = tile / kTilesOfHead;
    if (head < 2 * a.heads) return {head * kHeadSize + tile % kTilesOfHead * 8, kHeadSize / 2};
  }
  if constexpr (kPhase == Phase::kGateUp) return {tile * 8, a.feed_forward};
  return {tile * 16, 8};
}

template <Phase kPhase, int kHeadSize, typename W, typename T>
__device__ __forceinline__ PhaseShape shape_of_phase(const DecodeLayersArguments<T>& a) {
  const int width = a.heads * kHeadSize;
  int rows = a.hidden_size, length = a.hidden_size;
  if constexpr (kPhase == Phase::kQueryKeyValue) rows = 3 * width;
  if constexpr (kPhase == Phase::kOutput) length = width;
  if constexpr (kPhase == Phase::kGateUp) rows = 2 * a.feed_forward;
  if constexpr (kPhase == Phase::kDown) length = a.feed_forward;
  constexpr int kSegmentValues = kSegmentBytes / sizeof(W);
  return {rows, length, rows / 16, (length + kSegmentValues - 1) / kSegmentValues};
}

// Keys of one head that a block attends to, but for the newest, which this step makes.
struct KeyShare {
  int row, head, split, first, last;
  bool newest;

  template <int kKeysOfStage, typename T>
  static __device__ KeyShare of(const DecodeLayersArguments<T>& a, int unit) {
    KeyShare share;
    share.split = unit % a.splits;
    share.head = unit / a.splits % a.heads;
    share.row = unit / (a.splits * a.heads);
    const int length = a.length_of(share.row), older = max(0, length - 1);
    const int size = ((older + a.splits - 1) / a.splits + kKeysOfStage - 1) / kKeysOfStage * kKeysOfStage;
    share.first = min(share.split * size, older);
    share.last = min(share.first + size, older);
    share.newest = length > 0 && share.split == a.splits - 1;
    return share;
  }
};

// Shared memory beside the ring.
template <int kTiles, int kHeadSize>
struct LayersShared {
  static constexpr int kRows = 8 * kTiles;
  uint64_t full[kMostStages], empty[kMostStages];
  int64_t slots[kRows];  // where a row's new key goes, in elements from the layer's first page; −1: nowhere
  float squares[kUserWarps][kRows];
  alignas(16) char digits[kTiles == 1 ? kUserWarps : 1][3][kWarpBytes];  // of x, beside weights of one byte
  // Cosine and sine of each pair of channels, two 16-bit values in a word. The rows are out of line, so that lanes that
  // take neighbouring rows meet no bank twice.
  uint32_t turns[kRows][kHeadSize / 2 + 4];
  union {
    // Weight row, row of x. For eight rows at most: sums of more are added up in stages of the ring.
    float partial[kTiles == 1 ? kSideBySide : 1][kUserWarps][16][8];
    struct {
      float sums[kUserWarps][kHeadSize];
      float2 shares[kUserWarps];
    } attention;
  };
};

}  // namespace limen
