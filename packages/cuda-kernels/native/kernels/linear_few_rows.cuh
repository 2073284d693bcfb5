// Matrix times up to 32 vectors at the speed of memory, on tensor cores: plain arithmetic cannot keep up with the
// memory beyond a couple of rows. Shared by linear, norm_linear and their int8 forms.
//
// operand  shape   type            layout
// x        [M, K]  f16, bf16       row-major, 16-byte aligned, K a multiple of 8
// weight   [N, K]  as x, or i8     row-major, 16-byte aligned rows; read once
// y        [M, N]  as x            see Projection
//
// Geometry: block ↔ 16 rows of the weight (the 16-high side of the tensor-core product); its warps split K; x's rows
// are the 8-wide side, kTiles times. Fragments come straight from global memory: with k permuted alike for both
// operands a lane's share is sixteen contiguous bytes (see mma.cuh), so nothing passes through shared memory but the
// final sum over warps: kWarps × 16 × 8·kTiles floats.

#pragma once

#include <type_traits>

#include "device/int8.cuh"
#include "device/launch.cuh"
#include "device/mma.cuh"
#include "device/projection.cuh"
#include "device/reduce.cuh"
#include "device/vector_io.cuh"

namespace limen {

inline constexpr int kFewRowsMost = 32;
inline constexpr int kFewRowsDepth = 4;  // weight loads in flight per lane and weight row

template <typename T>
__device__ __forceinline__ uint4 multiply_pairs(const uint4& a, const uint4& b) {
  using Pair = std::conditional_t<std::is_same_v<T, __half>, __half2, __nv_bfloat162>;
  const uint32_t x[4] = {a.x, a.y, a.z, a.w}, y[4] = {b.x, b.y, b.z, b.w};
  uint32_t product[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const Pair pair = __hmul2(*reinterpret_cast<const Pair*>(&x[i]), *reinterpret_cast<const Pair*>(&y[i]));
    product[i] = *reinterpret_cast<const uint32_t*>(&pair);
  }
  return make_uint4(product[0], product[1], product[2], product[3]);
}

template <typename T>
__device__ __forceinline__ float sum_of_squares(const uint4& raw, float sum) {
  float values[8];
  unpack16<T>(raw, values);
#pragma unroll
  for (int i = 0; i < 8; ++i) sum = fmaf(values[i], values[i], sum);
  return sum;
}

template <typename T, typename W, int kTiles, int kWarps, bool kNormed>
__global__ void __launch_bounds__(32 * kWarps)
    linear_few_rows_kernel(const ProjectionInput<T, W> in, const Projection<T> out) {
  constexpr int kLane = kVectorWidth<W>;          // weights a lane takes in one load: 8, or 16 of i8
  constexpr int kChunk = 4 * kLane;               // k covered by the four lanes of one row
  constexpr int kUnit = kChunk * kFewRowsDepth;   // k covered by a warp before it moves on
  constexpr int kParts = kLane / 8;               // 16-byte loads of x that match one weight load
  __shared__ float partial[kWarps][8 * kTiles][16 + 1];
  __shared__ float partial_squares[kWarps][8 * kTiles];

  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  const int64_t length = in.length;
  // Sixteen rows of the weight: neighbours, or eight of the gate over the eight of the up that belong to them.
  const int64_t column0 = static_cast<int64_t>(blockIdx.x) * (in.gated ? 8 : 16);
  // Rows past the end repeat the last one; their results are dropped.
  const W* upper = in.weight + min(column0 + g, out.columns - 1) * length;
  const W* lower = in.weight + (in.gated ? min(column0 + g, out.columns - 1) + out.columns
                                         : min(column0 + g + 8, out.columns - 1)) * length;
  const T* rows[kTiles];
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) rows[tile] = in.x + min(int64_t{tile} * 8 + g, out.rows - 1) * length;

  float sum[kTiles][4] = {};
  float squares[kTiles] = {};
  bool waited = !in.constant_weight;
  if (waited) wait_for_upstream();
  let_downstream_start();
  for (int64_t unit = static_cast<int64_t>(warp) * kUnit; unit < length; unit += int64_t{kWarps} * kUnit) {
    uint4 raw[kFewRowsDepth][2];
#pragma unroll
    for (int d = 0; d < kFewRowsDepth; ++d) {
      const int64_t k = unit + d * kChunk + t * kLane;
      raw[d][0] = raw[d][1] = make_uint4(0, 0, 0, 0);
      if (k < length) {
        raw[d][0] = load16_raw_once(upper + k);
        raw[d][1] = load16_raw_once(lower + k);
      }
    }
    if (!waited) {
      wait_for_upstream();  // the first weights are on their way before the producer of x is done
      waited = true;
    }
#pragma unroll
    for (int d = 0; d < kFewRowsDepth; ++d) {
      const int64_t k = unit + d * kChunk + t * kLane;
      const uint32_t up[4] = {raw[d][0].x, raw[d][0].y, raw[d][0].z, raw[d][0].w};
      const uint32_t low[4] = {raw[d][1].x, raw[d][1].y, raw[d][1].z, raw[d][1].w};
#pragma unroll
      for (int part = 0; part < kParts; ++part) {
        uint32_t a[4], b[4];  // eight weights of each row, as four words
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          if constexpr (std::is_same_v<W, int8_t>) {
            if (i % 2 == 0) {
              unpack_int8x4_pairs<T>(up[part * 2 + i / 2], a[i], a[i + 1]);
              unpack_int8x4_pairs<T>(low[part * 2 + i / 2], b[i], b[i + 1]);
            }
          } else {
            a[i] = up[i];
            b[i] = low[i];
          }
        }
        uint4 norm = make_uint4(0, 0, 0, 0);
        if constexpr (kNormed) {
          if (k < length) norm = load16_raw(in.norm + k + part * 8);
        }
#pragma unroll
        for (int tile = 0; tile < kTiles; ++tile) {
          uint4 v = k < length ? load16_raw(rows[tile] + k + part * 8) : make_uint4(0, 0, 0, 0);
          if constexpr (kNormed) {
            squares[tile] = sum_of_squares<T>(v, squares[tile]);
            v = multiply_pairs<T>(v, norm);
          }
          mma_16x8x16<T>(sum[tile], a[0], b[0], a[1], b[1], v.x, v.y);
          mma_16x8x16<T>(sum[tile], a[2], b[2], a[3], b[3], v.z, v.w);
        }
      }
    }
  }
  if (!waited) wait_for_upstream();

#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
    partial[warp][tile * 8 + t * 2][g] = sum[tile][0];
    partial[warp][tile * 8 + t * 2 + 1][g] = sum[tile][1];
    partial[warp][tile * 8 + t * 2][g + 8] = sum[tile][2];
    partial[warp][tile * 8 + t * 2 + 1][g + 8] = sum[tile][3];
    if constexpr (kNormed) {
      const float square = warp_sum<4>(squares[tile]);
      if (t == 0) partial_squares[warp][tile * 8 + g] = square;
    }
  }
  __syncthreads();  // every warp's share of K is in place
  const auto total_of = [&](int row, int column) {
    float total = 0.0f;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) total += partial[w][row][column];
    if constexpr (kNormed) {
      float square = 0.0f;
#pragma unroll
      for (int w = 0; w < kWarps; ++w) square += partial_squares[w][row];
      total *= rsqrtf(square / static_cast<float>(length) + in.epsilon);
    }
    return total;
  };
  const int width = in.gated ? 8 : 16;
  for (int index = threadIdx.x; index < width * 8 * kTiles; index += 32 * kWarps) {
    const int row = index / width, column = index % width;
    if (row >= out.rows || column0 + column >= out.columns) continue;
    if (in.gated) {
      out.store_gated(row, column0 + column, total_of(row, column), total_of(row, column + 8));
    } else {
      out.store(row, column0 + column, total_of(row, column));
    }
  }
}

// 1 ≤ out.rows ≤ kFewRowsMost; the caller has checked alignment.
template <typename T, typename W, bool kNormed>
void launch_few_rows(const ProjectionInput<T, W>& in, const Projection<T>& out, cudaStream_t stream) {
  const int64_t blocks = ceil_div(out.columns, in.gated ? 8 : 16);
  Launch launch;
  launch.grid = dim3(static_cast<unsigned>(blocks));
  launch.stream = stream;
  launch.overlap = true;
  // Few blocks: more warps each, so that enough loads are in flight on every multiprocessor.
  const bool wide = blocks < 512;
  launch.block = dim3(wide ? 256 : 128);
  const auto start = [&](auto narrow_kernel, auto wide_kernel) {
    launch_kernel(launch, wide ? wide_kernel : narrow_kernel, in, out);
  };
  if (out.rows <= 8) {
    start(linear_few_rows_kernel<T, W, 1, 4, kNormed>, linear_few_rows_kernel<T, W, 1, 8, kNormed>);
  } else if (out.rows <= 16) {
    start(linear_few_rows_kernel<T, W, 2, 4, kNormed>, linear_few_rows_kernel<T, W, 2, 8, kNormed>);
  } else {
    start(linear_few_rows_kernel<T, W, 4, 4, kNormed>, linear_few_rows_kernel<T, W, 4, 8, kNormed>);
  }
}

}  // namespace limen
