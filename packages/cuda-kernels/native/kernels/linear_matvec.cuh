// Matrix times one to eight vectors at the speed of memory, on plain arithmetic units. Shared by linear, norm_linear and
// their int8 forms; more rows of 16-bit values go to linear_stream.cuh, which uses tensor cores.
//
// A norm before the product costs nothing: Σ w·(x·r·n) = r · Σ w·(x·n), and the sum of squares that r is made of is
// gathered from the same x on the way.
//
// operand  shape   type          layout
// x        [M, K]  T             row-major
// weight   [N, K]  T or i8       row-major; read once, sixteen bytes a lane
// y        [M, N]  T             see Projection
//
// Geometry: block of 128 threads ↔ 8 output columns; warp ↔ 2 rows of the weight, lanes spread over k; every lane
// has 2 × 4 sixteen-byte weight loads in flight. x comes through L1, one load for two weight rows. No shared memory.

#pragma once

#include "device/int8.cuh"
#include "device/launch.cuh"
#include "device/projection.cuh"
#include "device/reduce.cuh"
#include "device/vector_io.cuh"

namespace limen {

inline constexpr int kMatvecThreads = 128;
inline constexpr int kMatvecRowsPerWarp = 2;
inline constexpr int kMatvecDepth = 4;

// Sixteen bytes of a row that may start anywhere and may end inside them; what lies beyond the end reads as zero.
template <typename W>
__device__ __forceinline__ uint4 load_ragged(const W* row, int64_t k, int64_t length) {
  constexpr int kCount = kVectorWidth<W>;
  union {
    W values[kCount];
    uint4 raw;
  } gathered;
  gathered.raw = make_uint4(0, 0, 0, 0);
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    if (k + i < length) gathered.values[i] = row[k + i];
  }
  return gathered.raw;
}

template <typename W>
__device__ __forceinline__ void unpack_weights(const uint4& raw, float (&values)[kVectorWidth<W>]) {
  if constexpr (sizeof(W) == 1) {
    const uint32_t words[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) unpack_int8x4(words[i], *reinterpret_cast<float(*)[4]>(values + 4 * i));
  } else {
    unpack16<W>(raw, values);
  }
}

template <typename T, typename W, int kM, bool kAligned, bool kNormed>
__global__ void __launch_bounds__(kMatvecThreads)
    linear_matvec_kernel(const ProjectionInput<T, W> in, const Projection<T> out) {
  constexpr int kWide = kVectorWidth<W>;  // weights in one load
  constexpr int kPart = kVectorWidth<T>;  // values of x in one load
  const int lane = threadIdx.x % 32;
  const int64_t length = in.length, columns = out.columns;
  const int64_t warp = static_cast<int64_t>(blockIdx.x) * (kMatvecThreads / 32) + threadIdx.x / 32;
  // The two weight rows of a warp: neighbours, or the gate and the up of one column.
  const int64_t column0 = in.gated ? warp : warp * kMatvecRowsPerWarp;
  const W* rows[kMatvecRowsPerWarp];
#pragma unroll
  for (int r = 0; r < kMatvecRowsPerWarp; ++r) {
    rows[r] = in.weight + (in.gated ? min(column0, columns - 1) + r * columns : min(column0 + r, columns - 1)) * length;
  }

  float sum[kM][kMatvecRowsPerWarp] = {};
  float squares[kM] = {};
  const int64_t vectors = (length + kWide - 1) / kWide;
  bool waited = !in.constant_weight;
  if (waited) wait_for_upstream();
  let_downstream_start();
  for (int64_t first = lane; first < vectors; first += 32 * kMatvecDepth) {
    uint4 raw[kMatvecDepth][kMatvecRowsPerWarp];
#pragma unroll
    for (int d = 0; d < kMatvecDepth; ++d) {
      const int64_t vector = first + 32 * d;
#pragma unroll
      for (int r = 0; r < kMatvecRowsPerWarp; ++r) {
        raw[d][r] = make_uint4(0, 0, 0, 0);
        if (vector < vectors) {
          raw[d][r] = kAligned ? load16_raw_once(rows[r] + vector * kWide)
                               : load_ragged<W>(rows[r], vector * kWide, length);
        }
      }
    }
    if (!waited) {
      wait_for_upstream();  // the first weights are on their way before the producer of x is done
      waited = true;
    }
#pragma unroll
    for (int d = 0; d < kMatvecDepth; ++d) {
      const int64_t vector = first + 32 * d;
      if (vector >= vectors) break;
      float w[kMatvecRowsPerWarp][kWide];
#pragma unroll
      for (int r = 0; r < kMatvecRowsPerWarp; ++r) unpack_weights<W>(raw[d][r], w[r]);
#pragma unroll
      for (int part = 0; part < kWide / kPart; ++part) {
        const int64_t k = vector * kWide + part * kPart;
        const auto load = [&](const T* row, float(&values)[kPart]) {
          unpack16<T>(kAligned ? load16_raw(row + k) : load_ragged<T>(row, k, length), values);
        };
        float norm[kPart];
        if constexpr (kNormed) load(in.norm, norm);
#pragma unroll
        for (int m = 0; m < kM; ++m) {
          float values[kPart];
          load(in.x + m * length, values);
#pragma unroll
          for (int i = 0; i < kPart; ++i) {
            if constexpr (kNormed) {
              squares[m] = fmaf(values[i], values[i], squares[m]);
              values[i] *= norm[i];
            }
#pragma unroll
            for (int r = 0; r < kMatvecRowsPerWarp; ++r) {
              sum[m][r] = fmaf(values[i], w[r][part * kPart + i], sum[m][r]);
            }
          }
        }
      }
    }
  }
  if (!waited) wait_for_upstream();

#pragma unroll
  for (int m = 0; m < kM; ++m) {
    float scale = 1.0f;
    if constexpr (kNormed) scale = rsqrtf(warp_sum(squares[m]) / static_cast<float>(length) + in.epsilon);
    float totals[kMatvecRowsPerWarp];
#pragma unroll
    for (int r = 0; r < kMatvecRowsPerWarp; ++r) totals[r] = warp_sum(sum[m][r]) * scale;
    if (in.gated) {
      if (lane == m && column0 < columns) out.store_gated(m, column0, totals[0], totals[1]);
      continue;
    }
#pragma unroll
    for (int r = 0; r < kMatvecRowsPerWarp; ++r) {
      if (lane == (m * kMatvecRowsPerWarp + r) % 32 && column0 + r < columns) out.store(m, column0 + r, totals[r]);
    }
  }
}

// Picks the instantiation for out.rows, 1 … kMost.
template <typename T, typename W, bool kAligned, bool kNormed, int kMost, int kM = 1>
void launch_matvec(const ProjectionInput<T, W>& in, const Projection<T>& out, cudaStream_t stream) {
  if constexpr (kM < kMost) {
    if (out.rows > kM) return launch_matvec<T, W, kAligned, kNormed, kMost, kM + 1>(in, out, stream);
  }
  const int64_t columns_per_block = kMatvecThreads / 32 * (in.gated ? 1 : kMatvecRowsPerWarp);
  Launch launch;
  launch.grid = dim3(static_cast<unsigned>(ceil_div(out.columns, columns_per_block)));
  launch.block = dim3(kMatvecThreads);
  launch.stream = stream;
  launch.overlap = true;
  launch_kernel(launch, linear_matvec_kernel<T, W, kM, kAligned, kNormed>, in, out);
}

}  // namespace limen
