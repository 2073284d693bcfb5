// Paged decode attention on tensor cores, at the speed of memory: every stored byte is loaded once, straight into the
// registers that feed the multiplication, whatever its format.
//
// Scores are computed transposed, S^T = K · Q^T: sixteen keys are the rows of a fragment, up to eight queries its
// columns. A single query (multi-head attention) fills one column of eight, and sixteen queries on one key head
// (GLM) fill two tiles; the tensor cores have room to spare either way. Values follow as O^T = V^T · P^T.
// The order of the head's elements inside a fragment is free, so each lane loads sixteen contiguous bytes, and
// page_fragments.cuh widens them in registers. A key's scale multiplies its score; a value's scale multiplies its
// weight, through the exponent: the running maximum is that of score + log2(scale), so that weights never leave
// the range of a half, however small the scale.
//
// Geometry: block of 4 warps ↔ one split × one key head and up to 8 · kTiles of its queries × one sequence (or one
// group of sequences with a common prefix); warp ↔ every fourth tile of 16 · kDepth keys, with a softmax of its own.
// The warps are merged in shared memory, the splits through the shared memory of the cluster (or by
// attention_decode_merge_kernel where there are more splits than a cluster has blocks).
// While a tile's scores are computed its successor's keys are not yet loaded, but its values are; and the other way
// around: half of the registers are always a load in flight.

#pragma once

#include <cooperative_groups.h>

#include "kernels/attention_decode_tiles.cuh"

namespace limen {

inline constexpr int kTensorWarps = 4;
inline constexpr float kLeastScale = 1e-30f;  // stands for 0, whose logarithm would be −∞

// What a warp keeps of the queries in its columns. Lane 4·g + t: columns 2t and 2t + 1 of each tile.
template <int kTiles, int kHead>
struct DecodeState {
  float highest[kTiles][2], total[kTiles][2], lowest[kTiles][2];
  float sum[kTiles][kHead / 16][4];
};

// Merges the warps of the block, then the splits of the cluster, and stores what this launch is to store.
// Shared memory: [warp][column][kHead + 2] sums with maximum and total behind them, then the same once for the block.
template <typename Format, int kHead, int kTiles>
__device__ __forceinline__ void merge_and_store(const DecodeArguments& a, DecodeState<kTiles, kHead>& state, int first_column,
                                                int columns, int key_head, float* shared) {
  using Shape = DecodeShape<Format, kHead>;
  constexpr int kPitch = kHead + 2;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      float total = state.total[tile][c], lowest = state.lowest[tile][c];
#pragma unroll
      for (int offset = 4; offset < 32; offset *= 2) {
        total += __shfl_xor_sync(kFullWarp, total, offset);
        if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) lowest += __shfl_xor_sync(kFullWarp, lowest, offset);
      }
      const int column = tile * 8 + 2 * t + c;
      if (column >= columns) continue;
      float* const row = shared + (warp * columns + column) * kPitch;
      if (g == 0) {
        row[kHead] = state.highest[tile][c];
        row[kHead + 1] = total;
      }
#pragma unroll
      for (int m = 0; m < kHead / 16; ++m) {
        constexpr int kPairs = Shape::kValueElements / 2;
        const int d = ((m / kPairs) * 8 + g) * Shape::kValueElements + m % kPairs * 2;
        row[d] = state.sum[tile][m][c] + lowest;
        row[d + 1] = state.sum[tile][m][2 + c] + lowest;
      }
    }
  }
  __syncthreads();  // the four warps' sums are in place
  float* const block_rows = shared + kTensorWarps * columns * kPitch;
  const bool alone = a.launch_splits == 1 && a.splits == 1;
  for (int index = threadIdx.x; index < columns * kHead; index += 32 * kTensorWarps) {
    const int column = index / kHead, d = index % kHead;
    if (d >= a.head_size) continue;
    const float* const row = shared + column * kPitch;
    float best = -INFINITY;
#pragma unroll
    for (int w = 0; w < kTensorWarps; ++w) best = fmaxf(best, row[w * columns * kPitch + kHead]);
    const float base = best == -INFINITY ? 0.0f : best;
    float sum = 0.0f, total = 0.0f;
#pragma unroll
    for (int w = 0; w < kTensorWarps; ++w) {
      const float keep = exp2f(row[w * columns * kPitch + kHead] - base);
      sum = fmaf(row[w * columns * kPitch + d], keep, sum);
      total = fmaf(row[w * columns * kPitch + kHead + 1], keep, total);
    }
    const QueryRow owner = query_row(a, first_column + column, key_head);
    if (alone) {
      a.store(owner.batch, owner.head, d, total > 0.0f ? sum / total : 0.0f);
    } else if (a.partial != nullptr) {
      const int split = a.first_split + blockIdx.x;
      a.sums(owner.batch, owner.head, split)[d] = sum;
      if (d == 0) {
        a.weights(owner.batch, owner.head, split)[0] = best;
        a.weights(owner.batch, owner.head, split)[1] = total;
      }
    } else {
      block_rows[column * kPitch + d] = sum;
      if (d == 0) {
        block_rows[column * kPitch + kHead] = best;
        block_rows[column * kPitch + kHead + 1] = total;
      }
    }
  }
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  if (alone || a.partial != nullptr) return;
  namespace cg = cooperative_groups;
  const cg::cluster_group cluster = cg::this_cluster();
  cluster.sync();  // every block's rows are in place
  const int splits = a.launch_splits;
  for (int index = threadIdx.x + blockIdx.x * 32 * kTensorWarps; index < columns * kHead;
       index += 32 * kTensorWarps * splits) {
    const int column = index / kHead, d = index % kHead;
    if (d >= a.head_size) continue;
    float best = -INFINITY;
    for (int split = 0; split < splits; ++split) {
      best = fmaxf(best, cluster.map_shared_rank(block_rows, split)[column * kPitch + kHead]);
    }
    const float base = best == -INFINITY ? 0.0f : best;
    float sum = 0.0f, total = 0.0f;
    for (int split = 0; split < splits; ++split) {
      const float* const row = cluster.map_shared_rank(block_rows, split) + column * kPitch;
      const float keep = exp2f(row[kHead] - base);
      sum = fmaf(row[d], keep, sum);
      total = fmaf(row[kHead + 1], keep, total);
    }
    const QueryRow owner = query_row(a, first_column + column, key_head);
    a.store(owner.batch, owner.head, d, total > 0.0f ? sum / total : 0.0f);
  }
  cluster.sync();  // nobody leaves while others still read its shared memory
#endif
}

template <typename Format, int kHead, int kTiles>
__global__ void __launch_bounds__(32 * kTensorWarps) attention_decode_tensor_kernel(const DecodeArguments a) {
  using Shape = DecodeShape<Format, kHead>;
  using Compute = typename Format::Compute;
  extern __shared__ float shared[];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  const int rows = a.part == DecodePart::kPrefix ? a.rows : 1;
  const int all_columns = a.heads / a.key_heads * rows;
  const int chunks = (all_columns + 8 * kTiles - 1) / (8 * kTiles);
  const int key_head = blockIdx.y / chunks, first_column = blockIdx.y % chunks * 8 * kTiles;
  const int columns = min(8 * kTiles, all_columns - first_column);
  wait_for_upstream();

  // A prefix is read through the row that sees most of it; columns of shorter rows are masked below.
  int batch = blockIdx.z * rows;
  const int begin = a.begin_of(batch);
  int end = a.end_of(batch);
  for (int row = 1; row < rows; ++row) {
    const int other = a.end_of(static_cast<int>(blockIdx.z) * rows + row);
    if (other > end) batch = blockIdx.z * rows + row, end = other;
  }
  const KeyRange range = share_of_split(begin, end, blockIdx.x, a.launch_splits, Shape::kKeys);
  int limit[kTiles][2];  // first key that a column does not see
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const int column = min(tile * 8 + 2 * t + c, columns - 1);
      limit[tile][c] = rows == 1 ? range.last : min(range.last, a.end_of(query_row(a, first_column + column, key_head).batch));
    }
  }

  uint32_t q[kTiles][kHead / 16][2];
  float q_sum[kTiles][2] = {};
  load_queries<Format, kHead, kTiles>(a, first_column, columns, key_head, q, q_sum);
  DecodeState<kTiles, kHead> state = {};
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) state.highest[tile][0] = state.highest[tile][1] = -INFINITY;
  const float factor = a.scale * 1.4426950408889634f;  // powers of two instead of e

  constexpr int kStride = kTensorWarps * Shape::kKeys;
  int tile_start = range.first + warp * Shape::kKeys;
  const TileLoader<Format, kHead> loader = {a, batch, key_head, a.head_size * Format::kBits / 8,
                                            a.window > 0 ? a.length_of(batch) - end : 0, range.last};
  uint32_t raw_k[Shape::kDepth][2][Shape::kKeyChunks * Shape::kKeyWords];
  uint32_t raw_v[Shape::kDepth][4][Shape::kValueChunks * Shape::kValueWords];
  uint32_t raw_scales[Shape::kDepth][2][2];
  uint2 place = {}, next = {};
  if (tile_start < range.last) {
    place = loader.locate(tile_start);
    loader.load_keys(place, raw_k, raw_scales);
    loader.load_values(place, raw_v);
    next = loader.locate(tile_start + kStride);
  }
  for (; tile_start < range.last; tile_start += kStride) {
    const bool more = tile_start + kStride < range.last;
    float score[Shape::kDepth][kTiles][4] = {};
#pragma unroll
    for (int sub = 0; sub < Shape::kDepth; ++sub) {
#pragma unroll
      for (int chunk = 0; chunk < Shape::kKeyChunks; ++chunk) {
#pragma unroll
        for (int step = 0; step < Shape::kKeySteps; ++step) {
          uint32_t a0, a1, a2, a3;
          key_words<Format>(raw_k[sub][0] + chunk * Shape::kKeyWords, step, a0, a2);
          key_words<Format>(raw_k[sub][1] + chunk * Shape::kKeyWords, step, a1, a3);
#pragma unroll
          for (int tile = 0; tile < kTiles; ++tile) {
            const uint32_t* const words = q[tile][chunk * Shape::kKeySteps + step];
            mma_16x8x16<Compute>(score[sub][tile], a0, a1, a2, a3, words[0], words[1]);
          }
        }
      }
    }
    float2 key_scale[Shape::kDepth][2], value_scale[Shape::kDepth][2];
    float value_log[Shape::kDepth][2] = {};
#pragma unroll
    for (int sub = 0; sub < Shape::kDepth; ++sub) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        key_scale[sub][half] = scale_of<Format>(raw_scales[sub][half][0]);
        value_scale[sub][half] = scale_of<Format>(raw_scales[sub][half][1]);
        if constexpr (Format::kScale != ScaleKind::kNone) {
          value_scale[sub][half].x = fmaxf(value_scale[sub][half].x, kLeastScale);
          value_log[sub][half] = __log2f(value_scale[sub][half].x);
        }
      }
    }
    if (more) loader.load_keys(next, raw_k, raw_scales);

    // Scores → weights. Accumulator i: key g + 8 · (i / 2), column 2t + i % 2.
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        float best = state.highest[tile][c];
#pragma unroll
        for (int sub = 0; sub < Shape::kDepth; ++sub) {
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            float& value = score[sub][tile][2 * half + c];
            if constexpr (Format::kScale != ScaleKind::kNone) value *= key_scale[sub][half].x;
            if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
              value = fmaf(q_sum[tile][c], key_scale[sub][half].y, value);
            }
            value = fmaf(value, factor, value_log[sub][half]);
            if (tile_start + sub * 16 + half * 8 + g >= limit[tile][c]) value = -INFINITY;
            best = fmaxf(best, value);
          }
        }
#pragma unroll
        for (int offset = 4; offset < 32; offset *= 2) best = fmaxf(best, __shfl_xor_sync(kFullWarp, best, offset));
        const float base = best == -INFINITY ? 0.0f : best;  // nothing seen yet: −∞ − −∞ would be NaN
        const float keep = exp2f(state.highest[tile][c] - base);
        state.highest[tile][c] = best;
        state.total[tile][c] *= keep;
        state.lowest[tile][c] *= keep;
        if (__any_sync(kFullWarp, keep != 1.0f)) {  // maxima settle after a few tiles
#pragma unroll
          for (int m = 0; m < kHead / 16; ++m) {
            state.sum[tile][m][c] *= keep;
            state.sum[tile][m][2 + c] *= keep;
          }
        }
#pragma unroll
        for (int sub = 0; sub < Shape::kDepth; ++sub) {
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            float& weight = score[sub][tile][2 * half + c];
            weight = exp2f(weight - base);
            if constexpr (Format::kScale == ScaleKind::kNone) {
              state.total[tile][c] += weight;
            } else {
              const float plain = __fdividef(weight, value_scale[sub][half].x);
              state.total[tile][c] += plain;
              if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
                state.lowest[tile][c] = fmaf(plain, value_scale[sub][half].y, state.lowest[tile][c]);
              }
            }
          }
        }
      }
    }

#pragma unroll
    for (int sub = 0; sub < Shape::kDepth; ++sub) {
      uint32_t weights[kTiles][2];
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
        weights[tile][0] = transpose_matrix(pack2<Compute>(score[sub][tile][0], score[sub][tile][1]));
        weights[tile][1] = transpose_matrix(pack2<Compute>(score[sub][tile][2], score[sub][tile][3]));
      }
#pragma unroll
      for (int word = 0; word < Shape::kValueChunks * Shape::kValueWords; ++word) {
        uint32_t near[kPerWord<Format>], far[kPerWord<Format>];
        value_pairs<Format>(raw_v[sub][0][word], raw_v[sub][1][word], near);
        value_pairs<Format>(raw_v[sub][2][word], raw_v[sub][3][word], far);
#pragma unroll
        for (int pair = 0; pair < kPerWord<Format> / 2; ++pair) {
          const int m = word * (kPerWord<Format> / 2) + pair;
#pragma unroll
          for (int tile = 0; tile < kTiles; ++tile) {
            mma_16x8x16<Compute>(state.sum[tile][m], near[2 * pair], near[2 * pair + 1], far[2 * pair],
                                 far[2 * pair + 1], weights[tile][0], weights[tile][1]);
          }
        }
      }
    }
    if (more) {
      loader.load_values(next, raw_v);
      next = loader.locate(tile_start + 2 * kStride);
    }
  }
  let_downstream_start();
  merge_and_store<Format, kHead, kTiles>(a, state, first_column, columns, key_head, shared);
}

template <typename Format, int kHead, int kTiles>
void launch_decode_tensor_for(const DecodeArguments& arguments, cudaStream_t stream) {
  const int rows = arguments.part == DecodePart::kPrefix ? arguments.rows : 1;
  const int columns = arguments.heads / arguments.key_heads * rows;
  const bool cluster = arguments.launch_splits > 1 && arguments.partial == nullptr;
  Launch launch;
  launch.block = dim3(32 * kTensorWarps);
  launch.grid = dim3(arguments.launch_splits, static_cast<unsigned>(arguments.key_heads * ceil_div(columns, 8 * kTiles)),
                     arguments.batches / rows);
  launch.shared_bytes = sizeof(float) * (kHead + 2) * (columns < 8 * kTiles ? columns : 8 * kTiles) *
                        (kTensorWarps + (cluster ? 1 : 0));
  launch.stream = stream;
  launch.overlap = true;
  launch.cluster = cluster ? arguments.launch_splits : 1;
  launch_kernel(launch, attention_decode_tensor_kernel<Format, kHead, kTiles>, arguments);
}

// The caller has checked the types, alignment and D ≤ 256.
template <typename Format>
void launch_decode_tensor(const DecodeArguments& arguments, cudaStream_t stream) {
  const int rows = arguments.part == DecodePart::kPrefix ? arguments.rows : 1;
  const bool wide = arguments.heads / arguments.key_heads * rows > 8;
  if (arguments.head_size <= 64) {
    return wide ? launch_decode_tensor_for<Format, 64, 2>(arguments, stream)
                : launch_decode_tensor_for<Format, 64, 1>(arguments, stream);
  }
  if (arguments.head_size <= 128) {
    return wide ? launch_decode_tensor_for<Format, 128, 2>(arguments, stream)
                : launch_decode_tensor_for<Format, 128, 1>(arguments, stream);
  }
  launch_decode_tensor_for<Format, 256, 1>(arguments, stream);
}

}  // namespace limen
