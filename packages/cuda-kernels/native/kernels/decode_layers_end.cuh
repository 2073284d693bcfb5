// How a product of decode_layers ends for up to eight rows of x: the warps' sums of two tiles meet in shared memory, and
// a thread finishes two weight rows for one row of x.

#pragma once

#include "kernels/decode_layers_product.cuh"

namespace limen {

template <Phase kPhase, int kHeadSize, typename W, typename T>
struct TileEnd {
  using Common = Product<kPhase, 1, kHeadSize, W, T>;

  const Common& product;
  const DecodeLayersArguments<T>& a = product.a;
  float factor = 0.0f;    // of the norm, for the row of x that this thread finishes
  uint32_t residual = 0;  // what it is to add in the end, and the scales of its weight rows
  float2 scales = {};

  // Threads 8·row + i of the first tile finish its weight rows i and i + 8; those of the second tile follow them.
  static constexpr int kFinishers = 64;
  __device__ int member() const { return threadIdx.x / kFinishers; }
  __device__ int row() const { return threadIdx.x % kFinishers / 8; }
  __device__ bool finishes(int members) const { return member() < members && row() < a.batch; }
  __device__ int tile(int first) const { return first + member() * gridDim.x; }

  // Asks, before the product, for what its end takes from memory.
  __device__ void prepare(int first, int members) {
    if (!finishes(members)) return;
    if constexpr (Common::kAddsResidual) residual = product.read_residual(tile(first), row());
    if constexpr (Common::kNarrow) scales = product.read_scales(rows_of_tile<kPhase, kHeadSize>(a, tile(first)));
  }

  // sum: as the tensor cores leave it, of each tile.
  __device__ void finish(int first, int members, const float (&sum)[kSideBySide][4]) {
    auto& shared = product.shared;
    sync_threads_below<kUserThreads>();  // nobody still reads the sums of the tiles before
#pragma unroll
    for (int i = 0; i < kSideBySide; ++i) {
      float(*const mine)[8] = shared.partial[i][product.warp];
      *reinterpret_cast<float2*>(mine[product.g] + 2 * product.t) = make_float2(sum[i][0], sum[i][1]);
      *reinterpret_cast<float2*>(mine[product.g + 8] + 2 * product.t) = make_float2(sum[i][2], sum[i][3]);
    }
    sync_threads_below<kUserThreads>();
    // Whole warps go on: eight lanes store together.
    if (threadIdx.x >= kSideBySide * kFinishers) return;
    const int i = threadIdx.x % 8;
    const bool counts = finishes(members);
    float upper = 0.0f, lower = 0.0f;
    if (counts) {
#pragma unroll
      for (int w = 0; w < kUserWarps; ++w) {
        upper += shared.partial[member()][w][i][row()];
        lower += shared.partial[member()][w][i + 8][row()];
      }
      if constexpr (kNormed<kPhase>) {
        if (factor == 0.0f) {
          float square = 0.0f;
#pragma unroll
          for (int w = 0; w < kUserWarps; ++w) square += shared.squares[w][row()];
          factor = rsqrtf(square / static_cast<float>(product.shape.length) + a.epsilon);
        }
        upper *= factor, lower *= factor;
      }
      if constexpr (Common::kNarrow) upper *= scales.x, lower *= scales.y;
    }
    product.store(rows_of_tile<kPhase, kHeadSize>(a, counts ? tile(first) : first), counts, counts ? row() : 0, upper, lower,
                  residual);
  }
};

}  // namespace limen
