// The products of decode_layers for up to eight rows of x and weights of x's type. x stays in registers for a whole phase,
// but for the longest, down, which reads it once.
//
// Rows stand in shared memory as they came: eight lanes at a time read two of them, which meet each bank twice. Padding or
// swizzling against that slows the copies down more than it speeds up the reads, and exchanging registers costs as much as
// it gains.

#pragma once

#include "device/mma.cuh"
#include "kernels/decode_layers_end.cuh"

namespace limen {

template <Phase kPhase, int kHeadSize, typename T>
struct FewRowsProduct {
  using Common = Product<kPhase, 1, kHeadSize, T, T>;
  static constexpr int kFragments = Common::kFragments, kHeldSegments = kHeldValues / Common::kSegmentValues;
  static constexpr int kHeld = kHeldSegments * kFragments;
  static constexpr int kAhead = 2;  // segments of x on the way where x is read once

  const Common& common;
  Ring& ring;
  const DecodeLayersArguments<T>& a = common.a;
  const PhaseShape& shape = common.shape;
  const int g = common.g, t = common.t;
  TileEnd<kPhase, kHeadSize, T, T> end = {common};

  __device__ void multiply_stage(int segment, const uint4* x, float (&sum)[4]) const {
    const Ring second = ring.next();
    const int mine = g * kSegmentBytes + common.warp * kWarpBytes + t * 16;
    const char *const upper_rows = ring.stage() + mine, *const lower_rows = second.stage() + mine;
    ring.wait_until_full();
    second.wait_until_full();
    // Whole blocks lie inside a row or behind it.
    const int blocks =
        (shape.length - common.channel(segment, 0) + t * 8) * static_cast<int>(sizeof(T)) / kBlockBytes;
#pragma unroll
    for (int chunk = 0; chunk < kFragments; ++chunk) {
      if (chunk / 2 >= blocks) break;
      const uint4 upper = load16_raw(upper_rows + chunk * 64), lower = load16_raw(lower_rows + chunk * 64);
      mma_16x8x16<T>(sum, upper.x, lower.x, upper.y, lower.y, x[chunk].x, x[chunk].y);
      mma_16x8x16<T>(sum, upper.z, lower.z, upper.w, lower.w, x[chunk].z, x[chunk].w);
    }
    ring.leave<2>();
  }

  __device__ void run() {
    if constexpr (kHolds<kPhase, 1>) {
      run_held();
    } else {
      run_streaming();
    }
  }

  __device__ void run_held() {
    uint4 held[kHeld];
    if (kPhase == Phase::kOutput && a.splits == 4) {
      hold_merged<4>(held);
    } else if (kPhase == Phase::kOutput && a.splits == 2) {
      hold_merged<2>(held);
    } else {
#pragma unroll
      for (int i = 0; i < kHeld; ++i) held[i] = common.load(0, i / kFragments, i % kFragments);
      if (common.is_awaited()) {
        await_all(held, [&](int i) { return common.place_of(0, i / kFragments, i % kFragments); });
      }
    }
    if constexpr (kNormed<kPhase>) {
      float squares[1] = {};
      ring.wait_until_full();
      const T* const norm = reinterpret_cast<const T*>(ring.stage());
#pragma unroll
      for (int i = 0; i < kHeld; ++i) {
        const int k = common.channel(i / kFragments, i % kFragments);
        squares[0] = sum_of_squares<T>(held[i], squares[0]);
        if (k < shape.length) held[i] = multiply_pairs<T>(held[i], load16_raw(norm + k));
      }
      ring.leave();
      common.share_squares(squares);
    }
    const int grid = gridDim.x;
    for (int first = blockIdx.x; first < shape.tiles; first += kSideBySide * grid) {
      float sum[kSideBySide][4] = {};
      const int members = members_of(first, shape.tiles, kSideBySide);
      end.prepare(first, members);
#pragma unroll
      for (int member = 0; member < kSideBySide; ++member) {
        if (member >= members) break;
#pragma unroll
        for (int segment = 0; segment < kHeldSegments; ++segment) {
          if (segment >= shape.segments) break;
          multiply_stage(segment, held + segment * kFragments, sum[member]);
        }
      }
      end.finish(first, members, sum);
    }
  }

  // One or two rows have been attended to by four blocks for a head. Merging is much to load, so it is spread over all
  // lanes: lane (g, t) merges every eighth fragment of lane (row, t), for each row. All is asked for at once.
  template <int kSplits>
  __device__ void hold_merged(uint4 (&held)[kHeld]) const {
    constexpr int kOfMerge = 3 * kSplits, kOfRow = kHeld / 8 * kOfMerge, kRowsSplit = kSplitUnits / kSplits;
    uint4 raw[kRowsSplit * kOfRow];
    const auto channel_of = [&](int i) {
      const int fragment = i % kOfRow / kOfMerge * 8 + g;
      return common.channel(fragment / kFragments, fragment % kFragments);
    };
    const auto source = [&](int i) -> const void* {
      const int64_t place = i / kOfRow * kSplits + i % kOfMerge / 3;
      if (i % 3 == 2) return a.shares(common.layer, common.width) + (place * a.heads + channel_of(i) / kHeadSize) * 4;
      return a.sums(common.layer, common.width) + place * common.width + channel_of(i) + i % 3 * 4;
    };
#pragma unroll
    for (int i = 0; i < kRowsSplit * kOfRow; ++i) {
      raw[i] = channel_of(i) < shape.length ? load_shared_by_blocks(source(i)) : make_uint4(0, 0, 0, 0);
    }
    await_all(raw, source);
#pragma unroll
    for (int i = 0; i < kHeld; ++i) held[i] = make_uint4(0, 0, 0, 0);
#pragma unroll
    for (int row = 0; row < kRowsSplit; ++row) {
#pragma unroll
      for (int eighth = 0; eighth < kHeld; eighth += 8) {
        const uint4 merged = merge_splits<kSplits, T>(raw + row * kOfRow + eighth / 8 * kOfMerge);
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          uint4 words;
          words.x = __shfl_sync(kFullWarp, merged.x, i * 4 + t);
          words.y = __shfl_sync(kFullWarp, merged.y, i * 4 + t);
          words.z = __shfl_sync(kFullWarp, merged.z, i * 4 + t);
          words.w = __shfl_sync(kFullWarp, merged.w, i * 4 + t);
          if (g == row) held[eighth + i] = words;
        }
      }
    }
  }

  __device__ void run_streaming() {
    uint4 ahead[kAhead][kFragments];
    const auto fetch = [&](int segment, uint4(&into)[kFragments]) {
      if (segment >= shape.segments) return;
#pragma unroll
      for (int i = 0; i < kFragments; ++i) into[i] = common.load(0, segment, i);
    };
    const int grid = gridDim.x;
    for (int first = blockIdx.x; first < shape.tiles; first += kSideBySide * grid) {
      float sum[kSideBySide][4] = {};
      const int members = members_of(first, shape.tiles, kSideBySide);
      end.prepare(first, members);
#pragma unroll
      for (int i = 0; i < kAhead; ++i) fetch(i, ahead[i]);
      for (int segment = 0; segment < shape.segments; segment += kAhead) {
#pragma unroll
        for (int i = 0; i < kAhead; ++i) {
          if (segment + i >= shape.segments) break;
          // What has been there once is there for the next tiles too.
          if (first == static_cast<int>(blockIdx.x)) {
            await_all(ahead[i], [&](int fragment) { return common.place_of(0, segment + i, fragment); });
          }
#pragma unroll
          for (int member = 0; member < kSideBySide; ++member) {
            if (member < members) multiply_stage(segment + i, ahead[i], sum[member]);
          }
          fetch(segment + i + kAhead, ahead[i]);
        }
      }
      end.finish(first, members, sum);
    }
  }
};

}  // namespace limen
