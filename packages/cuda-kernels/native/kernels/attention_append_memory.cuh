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
  int per_key_head, chunks;  // queries of a key head, and blocks that share them
  FastDivisor splits;        // launch_splits
  bool neighbours;  // sixteen keys from a multiple of sixteen on lie one after the other in a page
  bool packed;      // … without a gap
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
template <typename Format_, int kHeadSize, int kColumnTiles>
struct AppendMemory {
  using Format = Format_;
  static constexpr int kHead = kHeadSize, kTiles = kColumnTiles;
  using Shape = DecodeShape<Format, kHead, kTiles>;
  static constexpr int kWarps = kDecodeWarps<Format, kHead, kTiles>;
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
  static constexpr int kArrivals = kNewestScales + 8;                      // barrier for what the cluster sends
  static constexpr int kFacts = kArrivals + 8;                             // [cluster][columns]: maximum and total
  static constexpr int kReceived = kFacts + kMostAppendCluster * kColumns * 8;  // [cluster][share of the sums]
  static constexpr int kRotation = kReceived + kColumns * kHead * 4;       // cosine and sine of each pair, in 16 bits
  static constexpr int kBytes = kRotation + kHead / 2 * 4;
  static_assert(4 * kThreads <= kColumns * kHead * 4, "room for bring_page_numbers() where parts are received later");
};

// Brings the lines of a sequence's page numbers into L1, where the first loads of them would otherwise wait one after the
// other: by copies, the oldest group of their threads, to where nothing else is yet. Not waited for before page numbers are
// looked up, but before that memory is used.
__device__ __forceinline__ void bring_page_numbers(const DecodeArguments& d, int batch, char* unused) {
  constexpr int kLine = 32;  // page numbers of 128 bytes
  const int place = threadIdx.x * kLine;  // of far longer tables the first
  const int* const table = d.page_table + static_cast<int64_t>(batch) * d.pages_per_sequence;
  if (place < d.pages_per_sequence) copy_async4(unused + 4 * threadIdx.x, table + place, true);
  commit_copies();
}

// A load that stays where it is written: before what waits for other loads.
__device__ __forceinline__ int load_here(const int* source) {
  int value;
  asm volatile("ld.global.b32 %0, [%1];" : "=r"(value) : "l"(source) : "memory");
  return value;
}

// Q^T fragments read from shared memory for each tile, where registers are scarce. Lane 4·g + t: query g.
template <typename Format, int kHead, int kTiles>
struct SharedQueries {
  using Shape = DecodeShape<Format, kHead>;
  using Memory = AppendMemory<Format, kHead, kTiles>;
  const char* shared;
  int row;  // the lane's in the first tile, at its first element
  float sum[kTiles][2];

  __device__ __forceinline__ explicit SharedQueries(const char* memory) : shared(memory), sum() {
    const int lane = threadIdx.x % 32;
    row = Memory::kQueries + lane / 4 * Memory::kQueryPitch + lane % 4 * (Shape::kKeyWords * kPerWord<Format> * 2);
    asm volatile("" : "+r"(row));
    if constexpr (kSumsQueries<Format>) {
      const auto* const sums = reinterpret_cast<const float*>(memory + Memory::kQuerySums);
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
        for (int c = 0; c < 2; ++c) sum[tile][c] = sums[tile * 8 + lane % 4 * 2 + c];
      }
    }
  }

  __device__ __forceinline__ void read(int chunk, uint32_t (&q)[kTiles][Shape::kKeySteps][2]) const {
    constexpr int kBytes = Shape::kKeyWords * kPerWord<Format> * 2;  // of one lane in one chunk
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int part = 0; part < kBytes / 16; ++part) {
        const uint4 raw = *reinterpret_cast<const uint4*>(shared + row + tile * 8 * Memory::kQueryPitch +
                                                          chunk * 4 * kBytes + part * 16);
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
