// Matrix times up to 32 vectors at the speed of memory: the weight streams through shared memory without a pause, and
// tensor cores multiply what has arrived. Shared by linear, norm_linear and their int8 forms.
//
// operand  shape   type            layout
// x        [M, K]  f16, bf16       row-major, 16-byte aligned, K a multiple of 8 (16 for i8 weights)
// weight   [N, K]  as x, or i8     row-major, 16-byte aligned rows; read once
// y        [M, N]  as x            see Projection
//
// Geometry: one block of 8 warps on each multiprocessor ↔ every n-th tile of 16 weight rows (the 16-high side of the
// product); the warps split K in units of 256 bytes, taken in turns. x's rows are the 8-wide side, kTiles times.
// Every warp copies its units in the background (cp.async) into a ring of three 4 KiB stages of its own and goes on from
// tile to tile without draining it: 64 KiB on the way on every multiprocessor. A block takes 96 KiB of shared memory,
// so the next kernel's block fits beside it (programmatic dependent launch). It is let in when the last copy of this one
// is on its way, and fills its own ring while this one adds up, stores and ends.
//
// With k permuted alike for both operands a lane's share of a fragment is sixteen contiguous bytes (see mma.cuh). The
// chunks of odd rows are swapped in shared memory, so that the fragments of eight rows meet no bank twice.
//
// A norm before the product costs next to nothing: Σ w·(x·r·n) = r · Σ w·(x·n), and the sum of squares that r is made of
// is gathered from the same x during the first tile.

#pragma once

#include <type_traits>

#include "device/async_copy.cuh"
#include "device/int8.cuh"
#include "device/launch.cuh"
#include "device/mma.cuh"
#include "device/projection.cuh"
#include "device/reduce.cuh"
#include "device/vector_arithmetic.cuh"
#include "device/vector_io.cuh"

namespace limen {

inline constexpr int kStreamRowsMost = 32;
inline constexpr int kStreamWarps = 8;
inline constexpr int kStreamStages = 3;
inline constexpr int kStreamUnitBytes = 256;  // of one weight row
inline constexpr int kStreamStageBytes = 16 * kStreamUnitBytes;

// A warp's place in its sequence of units: tile after tile, every eighth unit of each.
struct StreamCursor {
  int64_t tile;
  int unit;

  __device__ void advance(int units, int first_unit) {
    unit += kStreamWarps;
    if (unit < units) return;
    unit = first_unit;
    tile += gridDim.x;
  }
};

// Starts the copies of one unit: sixteen rows of 256 bytes, two rows at a time.
template <typename T, typename W>
__device__ __forceinline__ void fetch_unit(const ProjectionInput<T, W>& in, int64_t columns, const StreamCursor& at,
                                           char* stage) {
  const int lane = threadIdx.x % 32, chunk = lane % 16;
  const int64_t row_bytes = in.length * static_cast<int64_t>(sizeof(W));
  const int64_t offset = static_cast<int64_t>(at.unit) * kStreamUnitBytes + chunk * 16;
  const bool inside = offset < row_bytes;
  const char* const base = reinterpret_cast<const char*>(in.weight) + (inside ? offset : 0);
  const int64_t column0 = at.tile * (in.gated ? 8 : 16);
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int row = 2 * i + lane / 16;
    // Rows past the end repeat the last one; their results are dropped.
    const int64_t source = in.gated ? min(column0 + row % 8, columns - 1) + (row < 8 ? 0 : columns)
                                    : min(column0 + row, columns - 1);
    copy_async16(stage + row * kStreamUnitBytes + (chunk ^ (row & 1) << 2) * 16, base + source * row_bytes, inside);
  }
}

// kHeld: one tile of x, and so little of it for each warp that it stays in registers.
template <typename T, typename W, int kTiles, bool kNormed, bool kHeld>
__global__ void __launch_bounds__(32 * kStreamWarps, 2)
    linear_stream_kernel(const ProjectionInput<T, W> in, const Projection<T> out) {
  constexpr int kLane = kVectorWidth<W>;             // weights of one lane in one chunk: 8, or 16 of i8
  constexpr int kParts = kLane / 8;                  // 16-byte loads of x that match it
  constexpr int kUnit = kStreamUnitBytes / sizeof(W);  // k covered by a unit
  constexpr int kRows = 8 * kTiles;
  constexpr int kHeldUnits = kHeld ? 4 / kParts : 1;  // units of x in registers
  extern __shared__ __align__(128) char ring[];
  __shared__ float partial[2][kStreamWarps][kRows][16 + 1];
  __shared__ float partial_squares[kStreamWarps][kRows];

  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  const int64_t length = in.length, columns = out.columns;
  const int width = in.gated ? 8 : 16;
  const int64_t tiles = (columns + width - 1) / width;
  const int units = static_cast<int>((length + kUnit - 1) / kUnit);
  char* const stages = ring + warp * kStreamStages * kStreamStageBytes;

  if (!in.constant_weight) wait_for_upstream();
  StreamCursor ahead = {blockIdx.x, warp};
  // Warps beyond the last unit have nothing to fetch; they still take part in the sums.
  if (warp >= units) ahead.tile = tiles;
#pragma unroll
  for (int stage = 0; stage < kStreamStages - 1; ++stage) {
    if (ahead.tile < tiles) {
      fetch_unit(in, columns, ahead, stages + stage * kStreamStageBytes);
      ahead.advance(units, warp);
    }
    commit_copies();
  }
  if (in.constant_weight) wait_for_upstream();  // the first weights are on their way before the producer of x is done

  const T* rows[kTiles];
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) rows[tile] = in.x + min(int64_t{tile} * 8 + g, out.rows - 1) * length;
  float squares[kTiles] = {};
  const auto load = [&](const T* row, int unit, int chunk, int part) {
    const int64_t k = static_cast<int64_t>(unit) * kUnit + (chunk * 4 + t) * kLane + part * 8;
    return k < length ? load16_raw(row + k) : make_uint4(0, 0, 0, 0);
  };
  const auto normed = [&](const uint4& v, const uint4& norm, int tile, bool count) {
    if (count) squares[tile] = sum_of_squares<T>(v, squares[tile]);
    return multiply_pairs<T>(v, norm);
  };
  uint4 held[kHeldUnits][4 * kParts];
  if constexpr (kHeld) {
#pragma unroll
    for (int i = 0; i < kHeldUnits; ++i) {
#pragma unroll
      for (int j = 0; j < 4 * kParts; ++j) held[i][j] = load(rows[0], warp + i * kStreamWarps, j / kParts, j % kParts);
    }
    if constexpr (kNormed) {
#pragma unroll
      for (int i = 0; i < kHeldUnits; ++i) {
#pragma unroll
        for (int j = 0; j < 4 * kParts; ++j) {
          held[i][j] = normed(held[i][j], load(in.norm, warp + i * kStreamWarps, j / kParts, j % kParts), 0, true);
        }
      }
    }
  }
  int used = 0, buffer = 0;
  float sum[kTiles][4], other[kTiles][4];  // side by side: a product need not wait for the one before

  // Works on the next stage of the ring; `x_of(chunk, part, tile)` gives the fragments of x that match it.
  const auto multiply_stage = [&](auto&& x_of) {
    wait_for_copies<kStreamStages - 2>();
    __syncwarp();  // this stage is filled for all lanes, and nobody still reads the one before
    if (ahead.tile < tiles) {
      fetch_unit(in, columns, ahead, stages + (used == 0 ? kStreamStages - 1 : used - 1) * kStreamStageBytes);
      ahead.advance(units, warp);
    } else {
      let_downstream_start();
    }
    commit_copies();
    const char* const stage = stages + used * kStreamStageBytes;
    used = used + 1 == kStreamStages ? 0 : used + 1;
#pragma unroll
    for (int chunk = 0; chunk < 4; ++chunk) {
      const int place = (chunk * 4 + t ^ (g & 1) << 2) * 16;  // rows g and g + 8 are odd or even together
      const uint4 upper = *reinterpret_cast<const uint4*>(stage + g * kStreamUnitBytes + place);
      const uint4 lower = *reinterpret_cast<const uint4*>(stage + (g + 8) * kStreamUnitBytes + place);
      const uint32_t up[4] = {upper.x, upper.y, upper.z, upper.w}, low[4] = {lower.x, lower.y, lower.z, lower.w};
#pragma unroll
      for (int part = 0; part < kParts; ++part) {
        uint32_t a[4], b[4];  // eight weights of each row
        unpack_weights<T, W>(up, part, a);
        unpack_weights<T, W>(low, part, b);
#pragma unroll
        for (int tile = 0; tile < kTiles; ++tile) {
          const uint4 v = x_of(chunk, part, tile);
          mma_16x8x16<T>(sum[tile], a[0], b[0], a[1], b[1], v.x, v.y);
          mma_16x8x16<T>(other[tile], a[2], b[2], a[3], b[3], v.z, v.w);
        }
      }
    }
  };

  for (int64_t tile_index = blockIdx.x; tile_index < tiles; tile_index += gridDim.x, buffer ^= 1) {
    const bool first_tile = tile_index == blockIdx.x;
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int i = 0; i < 4; ++i) sum[tile][i] = other[tile][i] = 0.0f;
    }
    if constexpr (kHeld) {
#pragma unroll
      for (int i = 0; i < kHeldUnits; ++i) {
        if (warp + i * kStreamWarps < units) {
          multiply_stage([&](int chunk, int part, int) { return held[i][chunk * kParts + part]; });
        }
      }
    } else {
      for (int unit = warp; unit < units; unit += kStreamWarps) {
        // One tile of x fits registers for a while: its loads go out before the wait for the weights.
        constexpr bool kEarly = kTiles == 1;
        uint4 early[kEarly ? 4 * kParts : 1];
        if constexpr (kEarly) {
#pragma unroll
          for (int i = 0; i < 4 * kParts; ++i) {
            early[i] = load(rows[0], unit, i / kParts, i % kParts);
            if constexpr (kNormed) {
              early[i] = normed(early[i], load(in.norm, unit, i / kParts, i % kParts), 0, first_tile);
            }
          }
        }
        multiply_stage([&](int chunk, int part, int tile) {
          if constexpr (kEarly) return early[chunk * kParts + part];
          const uint4 v = load(rows[tile], unit, chunk, part);
          if constexpr (kNormed) return normed(v, load(in.norm, unit, chunk, part), tile, first_tile);
          return v;
        });
      }
    }
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
      float(*const mine)[16 + 1] = partial[buffer][warp] + tile * 8;
      mine[t * 2][g] = sum[tile][0] + other[tile][0];
      mine[t * 2 + 1][g] = sum[tile][1] + other[tile][1];
      mine[t * 2][g + 8] = sum[tile][2] + other[tile][2];
      mine[t * 2 + 1][g + 8] = sum[tile][3] + other[tile][3];
      if constexpr (kNormed) {
        if (first_tile) {
          const float square = warp_sum<4>(squares[tile]);
          if (t == 0) partial_squares[warp][tile * 8 + g] = square;
        }
      }
    }
    __syncthreads();  // every warp's share of K is in place; the other buffer may still be read
    const auto total_of = [&](int row, int column) {
      float total = 0.0f;
#pragma unroll
      for (int w = 0; w < kStreamWarps; ++w) total += partial[buffer][w][row][column];
      if constexpr (kNormed) {
        float square = 0.0f;
#pragma unroll
        for (int w = 0; w < kStreamWarps; ++w) square += partial_squares[w][row];
        total *= rsqrtf(square / static_cast<float>(length) + in.epsilon);
      }
      return total;
    };
    const int64_t column0 = tile_index * width;
    for (int index = threadIdx.x; index < width * kRows; index += 32 * kStreamWarps) {
      const int row = index / width, column = index % width;
      if (row >= out.rows || column0 + column >= columns) continue;
      if (in.gated) {
        out.store_gated(row, column0 + column, total_of(row, column), total_of(row, column + 8));
      } else {
        out.store(row, column0 + column, total_of(row, column));
      }
    }
  }
}

// 1 ≤ out.rows ≤ kStreamRowsMost; the caller has checked alignment.
template <typename T, typename W, bool kNormed>
void launch_stream(const ProjectionInput<T, W>& in, const Projection<T>& out, cudaStream_t stream) {
  static const int multiprocessors = [] {
    int device = 0, count = 0;
    cudaGetDevice(&device);
    cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device);
    return count;
  }();
  Launch launch;
  launch.grid = dim3(static_cast<unsigned>(std::min<int64_t>(ceil_div(out.columns, in.gated ? 8 : 16), multiprocessors)));
  launch.block = dim3(32 * kStreamWarps);
  launch.shared_bytes = kStreamWarps * kStreamStages * kStreamStageBytes;
  launch.stream = stream;
  launch.overlap = true;
  if (out.rows <= 8) {
    // The eight warps hold 4096 16-bit values of a row between them.
    if (in.length <= 4096) return launch_kernel(launch, linear_stream_kernel<T, W, 1, kNormed, true>, in, out);
    launch_kernel(launch, linear_stream_kernel<T, W, 1, kNormed, false>, in, out);
  } else if (out.rows <= 16) {
    launch_kernel(launch, linear_stream_kernel<T, W, 2, kNormed, false>, in, out);
  } else {
    launch_kernel(launch, linear_stream_kernel<T, W, 4, kNormed, false>, in, out);
  }
}

}  // namespace limen
