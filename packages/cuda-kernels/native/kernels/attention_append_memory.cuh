// What the one-launch decode step (append and attention) keeps in shared memory, and its arguments.

#pragma once

#include <algorithm>

#include "kernels/attention_decode_step.cuh"
#include "kernels/kv_append_common.cuh"

namespace limen {

inline constexpr int kMostAppendCluster = 8;  // blocks whose splits merge through their shared memory

struct AppendAttentionArguments {
  DecodeArguments decode;  // splits and launch_splits: blocks of a head; partial: for more of them than a cluster has
  AppendSource k, v;       // [B, K, D]; the token's stride is not used
  AppendTarget keys, values;
  const int *positions, *rotary_positions;  // [B]
  int64_t pages;
  Rotary rotary;
  int cluster;      // blocks of a cluster: 1, 2, 4 or 8
  int slice_shift;  // log2 of the fours of a row of sums that fall to each of them
  bool neighbours;  // sixteen keys from a multiple of sixteen on lie one after the other in a page
  bool settled;  // tables, lengths and all keys but the newest may be read before the launch before this one is done
};

template <typename Format>
inline constexpr StorageFormat kStorageOf = StorageFormat::kF16;
template <>
inline constexpr StorageFormat kStorageOf<PagesBF16> = StorageFormat::kBF16;
template <>
inline constexpr StorageFormat kStorageOf<PagesFp8> = StorageFormat::kFp8;
template <>
inline constexpr StorageFormat kStorageOf<PagesInt8> = StorageFormat::kInt8;
template <>
inline constexpr StorageFormat kStorageOf<PagesInt4> = StorageFormat::kInt4;


// Rings of a block. With what stands beside them, two blocks fit the shared memory of a multiprocessor.
inline constexpr int kMostRingBytes = 99 * 1024;

// Offsets in bytes. Two blocks of the kernel stand on a multiprocessor: of one launch, or of this one and the next, which
// fills its rings while this one works.
template <typename Format, int kHead, int kTiles>
struct AppendMemory {
  using Shape = DecodeShape<Format, kHead>;
  static constexpr int kWarps = kHead > 128 ? 4 : kTiles > 1 || Format::kBits == 16 ? 6 : 8;  // by registers
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kColumns = 8 * kTiles;
  static constexpr int kStages = std::max(2, kMostRingBytes / (kWarps * Shape::kStageBytes));
  static constexpr int kRingBytes = kStages * Shape::kStageBytes;  // of one warp; later its sums
  static constexpr int kSumPitch = kHead + 4;                      // floats; four of padding keep rows on sixteen bytes
  static_assert(kColumns * kSumPitch * 4 <= kRingBytes, "a warp's sums take the place of its ring");
  static constexpr int kQueryPitch = 2 * kHead + 16;  // bytes

  static constexpr int kQueries = kWarps * kRingBytes;                     // [columns][kQueryPitch], words of fragments
  static constexpr int kQuerySums = kQueries + kColumns * kQueryPitch;     // [columns]
  static constexpr int kNewest = kQuerySums + kColumns * 4;                // key and value of the new token, as stored
  static constexpr int kNewestScales = kNewest + 2 * Shape::kRowBytes;     // and their scales
  static constexpr int kFacts = kNewestScales + 16;                        // [cluster][columns]: maximum and total
  static constexpr int kReceived = kFacts + kMostAppendCluster * kColumns * 8;  // [cluster][share of the sums]
  static constexpr int kWarpFactors = kQueries;  // [columns][warps], then Joined [columns]: queries have served then
  static_assert(kColumns * (kWarps * 4 + 8) <= kColumns * kQueryPitch, "they fit where the queries were");
  static constexpr int kRotation = kReceived;  // cosines, then sines; nothing is received before they have served
  static constexpr int kBytes = kReceived + kColumns * kHead * 4;
};

// Q^T fragments read from shared memory for each tile, where registers are scarce. Lane 4·g + t: query g.
template <typename Format, int kHead, int kTiles>
struct SharedQueries {
  using Shape = DecodeShape<Format, kHead>;
  const char* rows[kTiles];  // the lane's row, at its first element
  float sum[kTiles][2];

  __device__ __forceinline__ void read(int chunk, uint32_t (&q)[kTiles][Shape::kKeySteps][2]) const {
    constexpr int kBytes = Shape::kKeyWords * kPerWord<Format> * 2;  // of one lane in one chunk
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int part = 0; part < kBytes / 16; ++part) {
        const uint4 raw = *reinterpret_cast<const uint4*>(rows[tile] + chunk * 4 * kBytes + part * 16);
        q[tile][2 * part][0] = raw.x, q[tile][2 * part][1] = raw.y;
        q[tile][2 * part + 1][0] = raw.z, q[tile][2 * part + 1][1] = raw.w;
      }
    }
  }

  __device__ __forceinline__ QueryRegisters<Format, kHead, kTiles> held() const {
    QueryRegisters<Format, kHead, kTiles> registers = {};
#pragma unroll
    for (int chunk = 0; chunk < Shape::kKeyChunks; ++chunk) {
      uint32_t q[kTiles][Shape::kKeySteps][2];
      read(chunk, q);
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
        for (int step = 0; step < Shape::kKeySteps; ++step) {
          registers.words[tile][chunk * Shape::kKeySteps + step][0] = q[tile][step][0];
          registers.words[tile][chunk * Shape::kKeySteps + step][1] = q[tile][step][1];
        }
        registers.sum[tile][0] = sum[tile][0], registers.sum[tile][1] = sum[tile][1];
      }
    }
    return registers;
  }
};

}  // namespace limen
