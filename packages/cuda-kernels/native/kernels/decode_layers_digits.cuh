// Products of decode_layers with one byte a weight, for up to eight rows of x, in integers: the tensor cores take the
// weights as they lie in the ring, and not one instruction goes into unpacking them.
//
// x becomes fixed point. A warp's part of a segment of a row, 256 values, is scaled by the power of two that brings its
// largest value just under 2^22, and rounded. Whatever is at least 2^-13 of the largest keeps every bit that a bf16 has;
// the rest is off by less than 2^-21 of the largest, so a few channels far above the others do no harm. The number is split
// into digits to the base 256, each a signed byte: q = d0 + 256·d1 + 65536·d2.
// Digits stand in columns of their own (the 8-wide side), so that one product multiplies several of them. A sum of 256
// products of two bytes is at most 2^22: neither it nor d0's and d1's put together overflow 32 bits, whatever the length of
// a row, and what becomes a float at a segment's end is exact or, put together, right to 2^-24.
//
// There are two arrangements, because x stands right behind a wait and must become digits quickly:
//   spread  One or two rows. All lanes of a warp convert, eight values of a row each, and pass the digits on through
//           shared memory. A row of x is a tile of its own; column 2p is digit p for even rows of weights, 2p + 1 for odd
//           ones. That lets odd rows be read 64 bytes aside, so that eight lanes never meet in a bank.
//   own     Up to eight rows. Lane (g, t) converts what it needs of row g. A digit is a tile, a row of x a column.

#pragma once

#include "device/mma.cuh"
#include "device/reduce.cuh"
#include "device/vector_arithmetic.cuh"
#include "kernels/decode_layers_end.cuh"

namespace limen {

inline constexpr int kSpreadRows = 2;
static_assert(splits_of_attention(kSpreadRows + 1) == 1);  // only the first arrangement merges what several blocks found

// A number in fixed point is value · scale; `unit` is the value of one. `bits` are those of the largest magnitude as T. If
// it is infinite or no number, `unit` is no number, and so is what comes of it.
struct FixedPoint {
  float scale, unit;

  template <typename T>
  static __device__ __forceinline__ FixedPoint for_largest(uint32_t bits) {
    // A hundredth of room: what is split must be between −0x408080 and 0x3f7f7f. The lower bound keeps `unit` normal.
    const uint32_t exponent = max(__float_as_uint(unpack2<T>(bits).x * 1.01f) >> 23, 22u);
    return {__uint_as_float((275 - exponent) << 23), __uint_as_float(exponent == 255 ? 0x7fffffffu : (exponent - 21) << 23)};
  }
};

// Magnitudes of pairs of 16-bit floats are ordered like integers, with no number above infinity.
__device__ __forceinline__ uint32_t larger_magnitudes(uint32_t largest, const uint4& raw) {
  const uint32_t words[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) largest = __vmaxu2(largest, words[i] & 0x7fff7fffu);
  return largest;
}
__device__ __forceinline__ uint32_t larger_of_pair(uint32_t pair) { return max(pair >> 16, pair & 0xffffu); }

// The digits of eight values: digits[p] are eight bytes.
template <typename T>
__device__ __forceinline__ void split_into_digits(const uint4& raw, float scale, uint2 (&digits)[3]) {
  // 2^23 + 0x408080: the sum's low bits are d0 + 128, d1 + 128, d2 + 64, a byte each.
  constexpr float kBase = 12615808.0f;
  float values[8];
  unpack16<T>(raw, values);
  uint32_t words[3][2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    uint32_t fixed[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) fixed[i] = __float_as_uint(fmaf(values[half * 4 + i], scale, kBase));
    const uint32_t low01 = __byte_perm(fixed[0], fixed[1], 0x5140), low23 = __byte_perm(fixed[2], fixed[3], 0x5140);
    const uint32_t top01 = __byte_perm(fixed[0], fixed[1], 0x0062), top23 = __byte_perm(fixed[2], fixed[3], 0x0062);
    words[0][half] = __byte_perm(low01, low23, 0x5410) ^ 0x80808080u;
    words[1][half] = __byte_perm(low01, low23, 0x7632) ^ 0x80808080u;
    // No byte borrows from the next.
    words[2][half] = ((__byte_perm(top01, top23, 0x5410) ^ 0x80808080u) - 0x40404040u) ^ 0x80808080u;
  }
#pragma unroll
  for (int p = 0; p < 3; ++p) digits[p] = make_uint2(words[p][0], words[p][1]);
}

// A warp's part of one segment of x, as the tensor cores take it.
template <bool kSpread, typename T>
struct SegmentDigits {
  static constexpr int kChunks = kWarpBytes / 64;
  static constexpr int kTiles = kSpread ? kSpreadRows : 3;
  static constexpr int kLoads = kSpread ? kSpreadRows : 2 * kChunks;  // sixteen bytes of x each, for a lane

  uint4 words[kChunks][kTiles];  // of a lane's column: sixteen digits that match a lane's sixteen bytes of weights
  float units[2];                // by which a lane's sums are multiplied

  // From eight values of each row (spread) or from a row's sixteen values of every chunk. `exchange`: this warp's.
  __device__ __forceinline__ void take(const uint4 (&raw)[kLoads], int rows, char (*exchange)[kWarpBytes]) {
    const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    uint2 digits[3];
    if constexpr (kSpread) {
      // Of column pairs 0 to 2; sums of the fourth count nothing, so its digits may be any.
      const float weight = t == 0 ? 1.0f : t == 1 ? 256.0f : t == 2 ? 65536.0f : 0.0f;
      const char* const mine = exchange[min(g / 2, 2)] + t * 16;
#pragma unroll
      for (int row = 0; row < kSpreadRows; ++row) {
        if (row > 0 && row >= rows) break;
        const uint32_t largest = __reduce_max_sync(kFullWarp, larger_of_pair(larger_magnitudes(0, raw[row])));
        const FixedPoint fixed = FixedPoint::for_largest<T>(largest);
        split_into_digits<T>(raw[row], fixed.scale, digits);
        units[row] = fixed.unit * weight;
        __syncwarp();  // what was there has been read
#pragma unroll
        for (int p = 0; p < 3; ++p) *reinterpret_cast<uint2*>(exchange[p] + lane * 8) = digits[p];
        __syncwarp();
#pragma unroll
        for (int chunk = 0; chunk < kChunks; ++chunk) words[chunk][row] = load16_raw(mine + (chunk ^ (g & 1)) * 64);
      }
    } else {
      uint32_t largest = 0;
#pragma unroll
      for (int i = 0; i < kLoads; ++i) largest = larger_magnitudes(largest, raw[i]);
      largest = larger_of_pair(largest);
      largest = max(largest, __shfl_xor_sync(kFullWarp, largest, 1));
      largest = max(largest, __shfl_xor_sync(kFullWarp, largest, 2));
      const FixedPoint fixed = FixedPoint::for_largest<T>(largest);
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk) {
        uint2 more[3];
        split_into_digits<T>(raw[2 * chunk], fixed.scale, digits);
        split_into_digits<T>(raw[2 * chunk + 1], fixed.scale, more);
#pragma unroll
        for (int p = 0; p < 3; ++p) words[chunk][p] = make_uint4(digits[p].x, digits[p].y, more[p].x, more[p].y);
      }
      // Lanes know the unit of row g and need those of rows 2t and 2t + 1.
#pragma unroll
      for (int i = 0; i < 2; ++i) units[i] = __shfl_sync(kFullWarp, fixed.unit, (2 * t + i) * 4);
    }
  }

  // Adds this segment's part of sixteen rows of weights. The pointers are to byte 16t of this warp's part of rows g and
  // g + 8. What lies behind the end of a row is multiplied by zeros.
  __device__ __forceinline__ void multiply(const char* upper_rows, const char* lower_rows, int rows, float (&sum)[4]) const {
    constexpr int kChains = kSpread ? 2 : 1;  // of products that wait for one another
    const bool odd = threadIdx.x / 4 % 2 == 1;
    const int aside = kSpread && odd ? 64 : 0;
    uint4 upper[kChunks], lower[kChunks];
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk) {
      const int place = chunk * 64 + (chunk % 2 == 0 ? aside : -aside);
      upper[chunk] = load16_raw(upper_rows + place), lower[chunk] = load16_raw(lower_rows + place);
    }
    int found[kTiles][kChains][4] = {};
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
      if (kSpread && tile > 0 && tile >= rows) break;
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk) {
        const uint4 &up = upper[chunk], &low = lower[chunk], &x = words[chunk][tile];
        mma_16x8x32(found[tile][0], up.x, low.x, up.y, low.y, x.x, x.y);
        mma_16x8x32(found[tile][kChains - 1], up.z, low.z, up.w, low.w, x.z, x.w);
      }
    }
    if constexpr (kSpread) {
#pragma unroll
      for (int row = 0; row < kTiles; ++row) {
        if (row > 0 && row >= rows) break;
        const auto& of_row = found[row];
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int even_sum = of_row[0][2 * half] + of_row[1][2 * half];
          const int odd_sum = of_row[0][2 * half + 1] + of_row[1][2 * half + 1];
          sum[2 * half + row] = fmaf(static_cast<float>(odd ? odd_sum : even_sum), units[row], sum[2 * half + row]);
        }
      }
    } else {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float low = static_cast<float>(found[0][0][i] + 256 * found[1][0][i]);
        sum[i] = fmaf(fmaf(static_cast<float>(found[2][0][i]), 65536.0f, low), units[i % 2], sum[i]);
      }
    }
  }

  // Makes of a lane's sums what the tensor cores leave: row g and g + 8 of the weights, rows 2t and 2t + 1 of x.
  static __device__ __forceinline__ void gather(int rows, float (&sum)[4]) {
    if constexpr (kSpread) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        if (i % 2 == 0 || rows > 1) sum[i] = warp_sum<4>(sum[i]);
      }
    }
  }
};

template <bool kSpread, Phase kPhase, int kHeadSize, typename T>
struct DigitProduct {
  using Common = Product<kPhase, 1, kHeadSize, int8_t, T>;
  using Digits = SegmentDigits<kSpread, T>;
  static constexpr int kLoads = Digits::kLoads;
  static constexpr int kHeldSegments = kHeldValues / kSegmentBytes;

  const Common& common;
  Ring& ring;
  const DecodeLayersArguments<T>& a = common.a;
  const PhaseShape& shape = common.shape;
  TileEnd<kPhase, kHeadSize, int8_t, T> end = {common};

  // Load i of a segment.
  __device__ int row_of(int i) const { return kSpread ? i : common.g; }
  __device__ int channel(int segment, int i) const {
    return kSpread ? segment * kSegmentBytes + common.warp * kWarpBytes + common.lane * 8 : common.channel(segment, i);
  }
  __device__ const T* place_of(int segment, int i) const {
    return common.source + int64_t{row_of(i)} * shape.length + channel(segment, i);
  }
  __device__ bool exists(int segment, int i) const {
    return channel(segment, i) < shape.length && row_of(i) < a.batch;
  }
  __device__ uint4 load(int segment, int i) const {
    return exists(segment, i) ? load_shared_by_blocks(place_of(segment, i)) : make_uint4(0, 0, 0, 0);
  }

  __device__ void multiply_stage(const Digits& x, float (&sum)[4]) const {
    const Ring second = ring.next();
    const int mine = common.g * kSegmentBytes + common.warp * kWarpBytes + common.t * 16;
    const char *const upper_rows = ring.stage() + mine, *const lower_rows = second.stage() + mine;
    ring.wait_until_full();
    second.wait_until_full();
    x.multiply(upper_rows, lower_rows, a.batch, sum);
    ring.leave<2>();
  }

  __device__ void finish(int first, int members, float (&sum)[kSideBySide][4]) {
#pragma unroll
    for (int member = 0; member < kSideBySide; ++member) Digits::gather(a.batch, sum[member]);
    end.finish(first, members, sum);
  }

  // All of x, once it is there.
  __device__ void load_all(uint4 (&raw)[kHeldSegments * kLoads]) const {
    if constexpr (kSpread && kPhase == Phase::kOutput) {
      if (a.splits == 4) return load_merged<4>(raw);
      if (a.splits == 2) return load_merged<2>(raw);
    }
#pragma unroll
    for (int i = 0; i < kHeldSegments * kLoads; ++i) raw[i] = load(i / kLoads, i % kLoads);
    if (common.is_awaited()) await_all(raw, [&](int i) { return place_of(i / kLoads, i % kLoads); });
  }

  __device__ void hold(Digits (&held)[kHeldSegments]) const {
    uint4 raw[kHeldSegments * kLoads];
    load_all(raw);
    if constexpr (kNormed<kPhase>) {
      float squares[kSpread ? kSpreadRows : 1] = {};
      ring.wait_until_full();
      const T* const norm = reinterpret_cast<const T*>(ring.stage());
#pragma unroll
      for (int i = 0; i < kHeldSegments * kLoads; ++i) {
        float& square = squares[kSpread ? i % kLoads : 0];
        square = sum_of_squares<T>(raw[i], square);
        if (!exists(i / kLoads, i % kLoads)) continue;
        raw[i] = multiply_pairs<T>(raw[i], load16_raw(norm + channel(i / kLoads, i % kLoads)));
      }
      ring.leave();
      if constexpr (kSpread) {
#pragma unroll
        for (int row = 0; row < kSpreadRows; ++row) {
          if (row >= a.batch) break;
          const float square = warp_sum(squares[row]);
          if (common.lane == 0) common.shared.squares[common.warp][row] = square;
        }
      } else {
        common.share_squares(squares);
      }
    }
#pragma unroll
    for (int segment = 0; segment < kHeldSegments; ++segment) {
      held[segment].take(reinterpret_cast<const uint4(&)[kLoads]>(raw[segment * kLoads]), a.batch,
                         common.shared.digits[common.warp]);
    }
  }

  // One or two rows have been attended to by four blocks for a head. All of it is asked for at once.
  template <int kSplits>
  __device__ void load_merged(uint4 (&raw)[kHeldSegments * kLoads]) const {
    constexpr int kOfMerge = 3 * kSplits, kRowsSplit = kSplitUnits / kSplits, kOfSegment = kRowsSplit * kOfMerge;
    uint4 parts[kHeldSegments * kOfSegment];
    const auto source = [&](int i) -> const void* {
      const int k = channel(i / kOfSegment, 0);
      const int64_t place = i % kOfSegment / kOfMerge * kSplits + i % kOfMerge / 3;
      if (i % 3 == 2) return a.shares(common.layer, common.width) + (place * a.heads + k / kHeadSize) * 4;
      return a.sums(common.layer, common.width) + place * common.width + k + i % 3 * 4;
    };
#pragma unroll
    for (int i = 0; i < kHeldSegments * kOfSegment; ++i) {
      parts[i] = channel(i / kOfSegment, 0) < shape.length ? load_shared_by_blocks(source(i)) : make_uint4(0, 0, 0, 0);
    }
    await_all(parts, source);
#pragma unroll
    for (int i = 0; i < kHeldSegments * kLoads; ++i) {
      const int segment = i / kLoads, row = i % kLoads;
      raw[i] = make_uint4(0, 0, 0, 0);
      if (row < kRowsSplit) raw[i] = merge_splits<kSplits, T>(parts + segment * kOfSegment + row * kOfMerge);
    }
  }

  // The loop over two tiles stays a loop: less code to fetch.
  static __device__ void take_turns(float (&sum)[kSideBySide][4]) {
    static_assert(kSideBySide == 2);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float first = sum[0][i];
      sum[0][i] = sum[1][i];
      sum[1][i] = first;
    }
  }

  __device__ void run() {
    Digits held[kHeldSegments];
    uint4 next[kLoads];
    const int grid = gridDim.x;
    // Before the wait for x, too.
    end.prepare(blockIdx.x, members_of(blockIdx.x, shape.tiles, kSideBySide));
    if constexpr (kHolds<kPhase, 1>) hold(held);
    for (int first = blockIdx.x; first < shape.tiles; first += kSideBySide * grid) {
      float sum[kSideBySide][4] = {};
      const int members = members_of(first, shape.tiles, kSideBySide);
      if (first != static_cast<int>(blockIdx.x)) end.prepare(first, members);
      if constexpr (kHolds<kPhase, 1>) {
#pragma unroll 1
        for (int member = 0; member < kSideBySide; ++member) {
          if (member < members) {
#pragma unroll
            for (int segment = 0; segment < kHeldSegments; ++segment) {
              if (segment < shape.segments) multiply_stage(held[segment], sum[0]);
            }
          }
          take_turns(sum);
        }
      } else {
        const auto fetch = [&](int segment) {
#pragma unroll
          for (int i = 0; i < kLoads; ++i) next[i] = load(segment, i);
        };
        fetch(0);
        for (int segment = 0; segment < shape.segments; ++segment) {
          await_all(next, [&](int i) { return place_of(segment, i); });
          held[0].take(next, a.batch, common.shared.digits[common.warp]);
          fetch(segment + 1);
#pragma unroll 1
          for (int member = 0; member < kSideBySide; ++member) {
            if (member < members) multiply_stage(held[0], sum[0]);
            take_turns(sum);
          }
        }
      }
      finish(first, members, sum);
    }
  }
};

}  // namespace limen
