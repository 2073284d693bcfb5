// The products of decode_layers for more than eight rows, whose x does not fit registers: for weights of eight bits, and
// where decode_layers_tall.cuh has no way.
//
// Every block reads all of x from L2 for each group of tiles that it multiplies side by side. So groups are as large as
// registers allow, a segment of x is asked for before the one at hand is multiplied, or as soon as its registers are free,
// and the first segments of the next group are asked for while the last ones of this group are multiplied.
//
// Warps add up their shares of the sums in the stages of the last segment, which they keep until then: each writes where
// only it has read, so one barrier is enough for all tiles of a group, and the sums need no memory of their own.
//
// Weights of eight bits become f16, which takes half the instructions that bf16 would. x then is f16 too, a sixteenth of
// what it was: that keeps every bit of a bf16 between 1e-3 and 1e6, and what is smaller to 1e-6.

#pragma once

#include "device/int8.cuh"
#include "device/mma.cuh"
#include "device/warpgroup.cuh"
#include "kernels/decode_layers_product.cuh"

namespace limen {

inline constexpr float kShrink = 1.0f / 16;

template <typename T>
__device__ __forceinline__ uint4 shrink_to_half(const uint4& x) {
  float values[8];
  unpack16<T>(x, values);
#pragma unroll
  for (int i = 0; i < 8; ++i) values[i] *= kShrink;
  return pack16<__half>(values);
}

template <Phase kPhase, int kTiles, int kHeadSize, typename W, typename T>
struct WideProduct {
  using Base = Product<kPhase, kTiles, kHeadSize, W, T>;
  using Operand = std::conditional_t<Base::kNarrow, __half, T>;  // what tensor cores multiply
  using Plan = WidePlan<kPhase, kTiles, W>;
  static constexpr int kParts = Base::kParts;
  static constexpr int kBlocks = kWarpBytes / kBlockBytes;  // of a weight row, for one warp and segment
  static constexpr int kFragments = Base::kFragments;
  static constexpr int kTogether = Plan::kTogether, kAhead = Plan::kAhead;
  static constexpr int kRows = 8 * kTiles;
  static constexpr int kTilesOfStage = Plan::kTilesOfStage;
  // Threads that finish a tile, and tiles that a thread has a part in.
  static constexpr int kFinishers = 8 * kRows, kFinishedAtOnce = kUserThreads / kFinishers;
  static constexpr int kTurns = (kTogether + kFinishedAtOnce - 1) / kFinishedAtOnce;

  struct Segment {
    uint4 x[kFragments * kTiles];
  };
  struct Norm {
    uint4 parts[kNormed<kPhase> ? kFragments : 1];
  };

  const Base& base;
  const DecodeLayersArguments<T>& a = base.a;
  const int thread = made_here(threadIdx.x), grid = made_here(gridDim.x);
  const int lane = thread % 32, warp = thread / 32, g = lane / 4, t = lane % 4;
  const int length = made_here(base.shape.length), tiles = base.shape.tiles, segments = base.shape.segments;

  // This lane's first channel of a segment, and how much further a fragment's are.
  __device__ __forceinline__ int channel(int segment) const {
    return segment * Base::kSegmentValues + (warp * kWarpBytes + t * 16) / static_cast<int>(sizeof(W));
  }
  static __device__ __forceinline__ int offset_of(int fragment) {
    return fragment / kParts * (64 / static_cast<int>(sizeof(W))) + fragment % kParts * 8;
  }
  __device__ __forceinline__ const T* place_of(int segment, int i) const {
    return base.source + (g * length + channel(segment)) + (i % kTiles * 8 * length + offset_of(i / kTiles));
  }

  // Perhaps still missing; zeros outside.
  __device__ __forceinline__ void fetch(int segment, Segment& into) const {
    if (segment >= segments) return;
#pragma unroll
    for (int i = 0; i < kFragments * kTiles; ++i) {
      const bool exists = i % kTiles * 8 + g < a.batch && channel(segment) + offset_of(i / kTiles) < length;
      into.x[i] = exists ? load_shared_by_blocks(place_of(segment, i)) : make_uint4(0, 0, 0, 0);
    }
  }
  __device__ __forceinline__ void await(int segment, Segment& into) const {
    await_all(into.x, [&](int i) { return place_of(segment, i); });
  }
  __device__ __forceinline__ void fetch_norm(int segment, Norm& into) const {
    if constexpr (kNormed<kPhase>) {
      const T* const norm = norm_of_phase<kPhase>(a, base.layer) + channel(segment);
#pragma unroll
      for (int i = 0; i < kFragments; ++i) {
        if (channel(segment) + offset_of(i) < length) into.parts[i] = load16_raw(norm + offset_of(i));
      }
    }
  }

  // Makes operands of what has come.
  __device__ __forceinline__ void prepare(Segment& segment, const Norm& norm, bool is_first,
                                          float (&squares)[kTiles]) const {
    if constexpr (kNormed<kPhase>) {
#pragma unroll
      for (int i = 0; i < kFragments * kTiles; ++i) {
        if (is_first) squares[i % kTiles] = sum_of_squares<T>(segment.x[i], squares[i % kTiles]);
        segment.x[i] = multiply_pairs<T>(segment.x[i], norm.parts[i / kTiles]);
      }
    }
    if constexpr (Base::kNarrow) {
#pragma unroll
      for (int i = 0; i < kFragments * kTiles; ++i) segment.x[i] = shrink_to_half<T>(segment.x[i]);
    }
  }

  static __device__ __forceinline__ uint4 select(bool condition, const uint4& yes, const uint4& no) {
    return make_uint4(condition ? yes.x : no.x, condition ? yes.y : no.y, condition ? yes.z : no.z,
                      condition ? yes.w : no.w);
  }

  // One tile's share. Eight lanes at a time read two rows, which share banks: lanes of odd rows read the two chunks of a
  // block in the other order.
  __device__ __forceinline__ void multiply(const char* upper_rows, const char* lower_rows, int blocks,
                                           const Segment& segment, float (&sum)[kTiles][4]) const {
    const bool odd = g % 2 != 0;
    const int mine = g * kSegmentBytes + warp * kWarpBytes + t * 16, near = odd ? 64 : 0;
    const char* const rows[2] = {upper_rows + mine, lower_rows + mine};
#pragma unroll
    for (int block = 0; block < kBlocks; ++block) {
      if (block >= blocks) break;
      uint4 raw[2][2];  // half of the tile, chunk
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const uint4 first = load16_raw(rows[half] + block * kBlockBytes + near);
        const uint4 second = load16_raw(rows[half] + block * kBlockBytes + (64 - near));
        raw[half][0] = select(odd, second, first), raw[half][1] = select(odd, first, second);
      }
#pragma unroll
      for (int chunk = 0; chunk < 2; ++chunk) {
        const uint4 &upper = raw[0][chunk], &lower = raw[1][chunk];
        const uint32_t up[4] = {upper.x, upper.y, upper.z, upper.w}, low[4] = {lower.x, lower.y, lower.z, lower.w};
#pragma unroll
        for (int part = 0; part < kParts; ++part) {
          uint32_t first[4], second[4];  // eight weights of each row
          unpack_weights<Operand, W>(up, part, first);
          unpack_weights<Operand, W>(low, part, second);
          const uint4* const x = segment.x + ((block * 2 + chunk) * kParts + part) * kTiles;
#pragma unroll
          for (int tile = 0; tile < kTiles; ++tile) {
            mma_16x8x16<Operand>(sum[tile], first[0], second[0], first[1], second[1], x[tile].x, x[tile].y);
          }
#pragma unroll
          for (int tile = 0; tile < kTiles; ++tile) {
            mma_16x8x16<Operand>(sum[tile], first[2], second[2], first[3], second[3], x[tile].z, x[tile].w);
          }
        }
      }
    }
  }

  __device__ __forceinline__ void run(Ring& ring) const {
    Segment ahead[kAhead] = {};
    Norm norm = {};
    fetch_norm(0, norm);
    float squares[kTiles] = {}, factor = 0.0f;
    const int together = Plan::together(a.stages);
    for (int first = blockIdx.x; first < tiles; first += together * grid) {
      const bool is_first = first == static_cast<int>(blockIdx.x);
      const bool may_lack = is_first && base.is_awaited();  // what has been there once is there for the next tiles too
      const int members = members_of(first, tiles, together);
      const int kept = (members + kTilesOfStage - 1) / kTilesOfStage;  // stages
      float sum[kTogether][kTiles][4] = {};
      uint32_t residual[kTurns];
      load_residual(first, members, residual);
      // Behind the last segment the first ones are asked for again, for the next tiles.
      const bool wraps = segments % kAhead == 0 && first + together * grid < tiles;
      if (is_first || segments % kAhead != 0) {
#pragma unroll
        for (int i = 0; i < kAhead; ++i) {
          fetch(i, ahead[i]);
          // More is asked for when the first of it is there: earlier it would be missing, and asked for twice.
          if (i == 0 && may_lack) await(0, ahead[0]);
        }
      }
      for (int segment = 0; segment < segments; segment += kAhead) {
#pragma unroll
        for (int i = 0; i < kAhead; ++i) {
          const int at_hand = segment + i;
          if (at_hand >= segments) break;
          if (may_lack) await(at_hand, ahead[i]);
          prepare(ahead[i], norm, is_first, squares);
          fetch_norm(at_hand + 1 < segments ? at_hand + 1 : 0, norm);
          // Whole blocks lie inside a row or behind it.
          constexpr int kWidth = static_cast<int>(sizeof(W));
          const int blocks = (length - channel(at_hand) + t * 16 / kWidth) * kWidth / kBlockBytes;
          // What follows these stages keeps the sums.
          const int left = 2 * members - (at_hand == segments - 1 ? kept : 0);
          Ring at = ring;
#pragma unroll
          for (int member = 0; member < kTogether; ++member) {
            if (member < members) {
              const Ring lower = at.next();
              at.wait_until_full();
              lower.wait_until_full();
              multiply(at.stage(), lower.stage(), blocks, ahead[i], sum[member]);
              __syncwarp();
#pragma unroll
              for (int half = 0; half < 2; ++half) {
                const bool leaves = 2 * member + half < left;
                if (lane == 0 && leaves) arrive(at.empty + at.index);
                at.advance();
                if (leaves) ring = at;
              }
            }
          }
          const int next = at_hand + kAhead;
          fetch(next >= segments && wraps ? next - segments : next, ahead[i]);
        }
      }
      if constexpr (kNormed<kPhase>) {
        if (is_first) base.share_squares(squares);
      }
      finish(ring, first, members, sum, residual, factor);
    }
  }

  // A thread finishes weight rows i and i + 8 of a tile for one row of x, for as many tiles at once as there are threads.
  __device__ __forceinline__ int finished_slot() const { return thread / kFinishers; }
  __device__ __forceinline__ int finished_row() const { return thread % kFinishers / 8; }

  // What is to be added in the end, asked for before the product.
  __device__ __forceinline__ void load_residual(int first, int members, uint32_t (&residual)[kTurns]) const {
    if constexpr (Base::kAddsResidual) {
#pragma unroll
      for (int turn = 0; turn < kTurns; ++turn) {
        const int member = turn * kFinishedAtOnce + finished_slot();
        residual[turn] = 0;
        if (member >= members || finished_row() >= a.batch) continue;
        residual[turn] = base.read_residual(first + member * grid, finished_row());
      }
    }
  }

  // Where a warp's sum of weight row r stands in its share of a stage. Rows r and r + 8 are the two blocks of a row of the
  // stage, each four times eight sums for eight rows of x. The fours and the halves of the eights are turned by r, so that
  // neither side meets a bank twice.
  static __device__ __forceinline__ int place_of_sum(int member, int tile, int r, int column) {
    return r * kSegmentBytes + (((member % kTilesOfStage * kTiles + tile) ^ (r & 3)) * 8 + (column ^ (r & 4))) * 4;
  }

  __device__ __forceinline__ void finish(Ring& ring, int first, int members, const float (&sum)[kTogether][kTiles][4],
                                         const uint32_t (&residual)[kTurns], float& factor) const {
    __syncwarp();  // every lane has read this warp's share of the stages
    Ring at = ring;
#pragma unroll
    for (int member = 0; member < kTogether; ++member) {
      if (member >= members) break;
      char* const mine = at.stage() + warp * kWarpBytes;
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
        char* const place = mine + place_of_sum(member, tile, g, 2 * t);
        *reinterpret_cast<float2*>(place) = make_float2(sum[member][tile][0], sum[member][tile][1]);
        *reinterpret_cast<float2*>(place + kBlockBytes) = make_float2(sum[member][tile][2], sum[member][tile][3]);
      }
      if (member % kTilesOfStage == kTilesOfStage - 1) at.advance();
    }
    publish_stores();  // before the copy engine may write there again
    sync_threads_below<kUserThreads>();
    const int row = finished_row(), i = thread % 8;
    if constexpr (kNormed<kPhase>) {
      if (factor == 0.0f) {
        float square = 0.0f;
#pragma unroll
        for (int w = 0; w < kUserWarps; ++w) square += base.shared.squares[w][row];
        factor = rsqrtf(square / static_cast<float>(length) + a.epsilon);
      }
    }
#pragma unroll
    for (int turn = 0; turn < kTurns; ++turn) {
      if (turn * kFinishedAtOnce >= members) break;
      const int member = turn * kFinishedAtOnce + finished_slot();
      const bool counts = member < members && row < a.batch;
      const char* const place = ring.stage() + place_of_sum(member, row / 8, i, row % 8);
      float upper = 0.0f, lower = 0.0f;
#pragma unroll
      for (int w = 0; w < kUserWarps; ++w) {
        upper += *reinterpret_cast<const float*>(place + w * kWarpBytes);
        lower += *reinterpret_cast<const float*>(place + w * kWarpBytes + kBlockBytes);
      }
      static_assert(kFinishedAtOnce == kTilesOfStage);  // a turn is a stage
      ring.leave();
      if constexpr (kNormed<kPhase>) upper *= factor, lower *= factor;
      const TileRows rows = rows_of_tile<kPhase, kHeadSize>(a, counts ? first + member * grid : first);
      if constexpr (Base::kNarrow) {
        const float2 scales = base.read_scales(rows);
        upper *= scales.x / kShrink, lower *= scales.y / kShrink;
      }
      base.store(rows, counts, counts ? row : 0, upper, lower, Base::kAddsResidual ? residual[turn] : 0);
    }
  }
};

}  // namespace limen
