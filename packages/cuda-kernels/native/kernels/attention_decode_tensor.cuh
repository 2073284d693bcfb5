// Paged decode attention on tensor cores, at the speed of memory: every stored byte is copied once, in the background,
// and widened on its way from shared memory to the registers that feed the multiplication, whatever its format.
//
// Scores are computed transposed, S^T = K · Q^T: sixteen keys are the rows of a fragment, up to eight queries its
// columns. A single query (multi-head attention) fills one column of eight, and sixteen queries on one key head
// (GLM) fill two tiles; the tensor cores have room to spare either way. Values follow as O^T = V^T · P^T.
// The order of the head's elements inside a fragment is free, so each lane takes up to sixteen contiguous bytes of a
// vector. A key's scale multiplies its score; a value's scale multiplies its weight, through the exponent: the
// running maximum is that of score + log2(scale), so that weights never leave the range of a half, however small the
// scale.
//
// Geometry: block of 4 to 8 warps ↔ one split × one key head and up to 8 · kTiles of its queries × one sequence (or one
// group of sequences with a common prefix); the warps take tiles of 16 · kDepth keys in turn, each with a softmax and a
// ring of two or three stages of its own. Two blocks fit a multiprocessor and keep about 96 KiB on the way, more than
// twice what latency times bandwidth asks for.
// The running maximum need not be the maximum: any reference near it serves. It is brought up to date only when a score
// exceeds it by more than kMaximumSlack, so most tiles need neither shuffles nor a rescaling.
// The warps are merged in shared memory, the splits through the shared memory of the cluster (or by
// attention_decode_merge_kernel where there are more splits than a cluster has blocks).

#pragma once

#include <algorithm>

#include "kernels/attention_decode_merge.cuh"

namespace limen {

// A weight may exceed one by as many powers of two before the running maximum is brought up to date.
inline constexpr float kMaximumSlack = 8.0f;
inline constexpr float kLeastScale = 1e-30f;  // stands for 0, whose logarithm would be −∞

template <typename Format, int kHead, int kTiles>
__global__ void __launch_bounds__(32 * kTensorWarps<Format, kHead, kTiles>, kHead > 128 ? 1 : 2)
    attention_decode_tensor_kernel(const DecodeArguments a) {
  using Shape = DecodeShape<Format, kHead>;
  using Compute = typename Format::Compute;
  extern __shared__ __align__(128) float shared[];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  const int rows = a.part == DecodePart::kPrefix ? a.rows : 1;
  const int all_columns = a.heads / a.key_heads * rows;
  const int chunks = (all_columns + 8 * kTiles - 1) / (8 * kTiles);
  const int key_head = blockIdx.y / chunks, first_column = blockIdx.y % chunks * 8 * kTiles;
  const int columns = min(8 * kTiles, all_columns - first_column);
  wait_for_upstream();
  let_downstream_start();

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

  constexpr int kWarps = kTensorWarps<Format, kHead, kTiles>, kStride = kWarps * Shape::kKeys;
  int tile_start = range.first + warp * Shape::kKeys;
  const TileRing<Format, kHead> ring = {a, reinterpret_cast<char*>(shared) + warp * Shape::kRingBytes, batch, key_head,
                                        a.head_size * Format::kBits / 8, a.window > 0 ? a.length_of(batch) - end : 0,
                                        range.last};
  typename TileRing<Format, kHead>::Places next = {};
#pragma unroll
  for (int stage = 0; stage < Shape::kStages - 1; ++stage) {
    if (tile_start + stage * kStride < range.last) ring.fill(stage, ring.locate(tile_start + stage * kStride));
    commit_copies();
  }
  if (tile_start < range.last) next = ring.locate(tile_start + (Shape::kStages - 1) * kStride);

  int first_limit = range.last;  // tiles that end before it need no mask
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) first_limit = min(first_limit, min(limit[tile][0], limit[tile][1]));
  uint32_t q[kTiles][kHead / 16][2];
  float q_sum[kTiles][2] = {};
  load_queries<Format, kHead, kTiles>(a, first_column, columns, key_head, q, q_sum);
  DecodeState<kTiles, kHead> state = {};
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) state.highest[tile][0] = state.highest[tile][1] = -INFINITY;
  const float factor = a.scale * 1.4426950408889634f;  // powers of two instead of e

  for (int used = 0; tile_start < range.last; tile_start += kStride, used = used + 1 == Shape::kStages ? 0 : used + 1) {
    wait_for_copies<Shape::kStages - 2>();
    __syncwarp();  // this stage is filled for all lanes, and nobody still reads the one before
    const int ahead = tile_start + (Shape::kStages - 1) * kStride;
    if (ahead < range.last) {
      ring.fill(used == 0 ? Shape::kStages - 1 : used - 1, next);
      next = ring.locate(ahead + kStride);
    }
    commit_copies();
    const char* const keys = ring.stage(used);
    const char* const values = keys + Shape::kKeys * Shape::kRowBytes;

    // Two sums side by side where there is only one tile: a multiplication need not wait for the one before.
    constexpr int kSums = Shape::kDepth * kTiles == 1 ? 2 : 1;
    float score[Shape::kDepth][kTiles][4] = {};
    float other[4] = {};
#pragma unroll
    for (int chunk = 0; chunk < Shape::kKeyChunks; ++chunk) {
#pragma unroll
      for (int sub = 0; sub < Shape::kDepth; ++sub) {
        uint32_t near[Shape::kKeyWords], far[Shape::kKeyWords];
        ring.read(keys, sub * 16 + g, (chunk * 4 + t) * Shape::kKeyBytes, near);
        ring.read(keys, sub * 16 + 8 + g, (chunk * 4 + t) * Shape::kKeyBytes, far);
#pragma unroll
        for (int step = 0; step < Shape::kKeySteps; ++step) {
          uint32_t a0, a1, a2, a3;
          key_words<Format>(near, step, a0, a2);
          key_words<Format>(far, step, a1, a3);
#pragma unroll
          for (int tile = 0; tile < kTiles; ++tile) {
            const uint32_t* const words = q[tile][chunk * Shape::kKeySteps + step];
            mma_16x8x16<Compute>(kSums == 2 && step % 2 == 1 ? other : score[sub][tile], a0, a1, a2, a3, words[0],
                                 words[1]);
          }
        }
      }
    }
    if constexpr (kSums == 2) {
#pragma unroll
      for (int i = 0; i < 4; ++i) score[0][0][i] += other[i];
    }
    float2 key_scale[Shape::kDepth][2];
    float value_log[Shape::kDepth][2] = {}, value_inverse[Shape::kDepth][2], value_lowest[Shape::kDepth][2];
    if constexpr (Format::kScale != ScaleKind::kNone) {
      const auto* const scales = reinterpret_cast<const uint2*>(values + Shape::kKeys * Shape::kRowBytes);
#pragma unroll
      for (int sub = 0; sub < Shape::kDepth; ++sub) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const uint2 pair = scales[sub * 16 + half * 8 + g];
          key_scale[sub][half] = scale_of<Format>(pair.x);
          const float2 value_scale = scale_of<Format>(pair.y);
          const float scale = fmaxf(value_scale.x, kLeastScale);
          value_log[sub][half] = __log2f(scale);
          value_inverse[sub][half] = __fdividef(1.0f, scale);
          value_lowest[sub][half] = value_scale.y;
        }
      }
    }

    // Scores → weights. Accumulator i: key g + 8 · (i / 2), column 2t + i % 2.
    const bool ragged = tile_start + Shape::kKeys > first_limit;
    bool exceeds = false;
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int sub = 0; sub < Shape::kDepth; ++sub) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int half = i / 2, c = i % 2;
          float& value = score[sub][tile][i];
          if constexpr (Format::kScale != ScaleKind::kNone) value *= key_scale[sub][half].x;
          if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
            value = fmaf(q_sum[tile][c], key_scale[sub][half].y, value);
          }
          value = fmaf(value, factor, value_log[sub][half]);
          if (ragged && tile_start + sub * 16 + half * 8 + g >= limit[tile][c]) value = -INFINITY;
          exceeds |= value > state.highest[tile][c] + kMaximumSlack;
        }
      }
    }
    if (__any_sync(kFullWarp, exceeds)) {
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          float best = state.highest[tile][c];
#pragma unroll
          for (int sub = 0; sub < Shape::kDepth; ++sub) {
            best = fmaxf(best, fmaxf(score[sub][tile][c], score[sub][tile][2 + c]));
          }
#pragma unroll
          for (int offset = 4; offset < 32; offset *= 2) best = fmaxf(best, __shfl_xor_sync(kFullWarp, best, offset));
          // Nothing seen yet: −∞ − −∞ would be NaN.
          const float keep = best == -INFINITY ? 1.0f : exp2f(state.highest[tile][c] - best);
          state.highest[tile][c] = best;
          state.total[tile][c] *= keep;
          state.lowest[tile][c] *= keep;
#pragma unroll
          for (int m = 0; m < kHead / 16; ++m) {
            state.sum[tile][m][c] *= keep;
            state.sum[tile][m][2 + c] *= keep;
          }
        }
      }
    }
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const float base = state.highest[tile][c] == -INFINITY ? 0.0f : state.highest[tile][c];
#pragma unroll
        for (int sub = 0; sub < Shape::kDepth; ++sub) {
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            float& weight = score[sub][tile][2 * half + c];
            weight = exp2f(weight - base);
            if constexpr (Format::kScale == ScaleKind::kNone) {
              state.total[tile][c] += weight;
            } else {
              const float plain = weight * value_inverse[sub][half];
              state.total[tile][c] += plain;
              if constexpr (Format::kScale == ScaleKind::kFactorAndLowest) {
                state.lowest[tile][c] = fmaf(plain, value_lowest[sub][half], state.lowest[tile][c]);
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
      for (int chunk = 0; chunk < Shape::kValueChunks; ++chunk) {
        uint32_t raw[4][Shape::kValueWords];
#pragma unroll
        for (int key = 0; key < 4; ++key) {
          ring.read(values, sub * 16 + key / 2 * 8 + 2 * t + key % 2, (chunk * 8 + g) * Shape::kValueBytes, raw[key]);
        }
#pragma unroll
        for (int word = 0; word < Shape::kValueWords; ++word) {
          uint32_t near[kPerWord<Format>], far[kPerWord<Format>];
          value_pairs<Format>(raw[0][word], raw[1][word], near);
          value_pairs<Format>(raw[2][word], raw[3][word], far);
#pragma unroll
          for (int pair = 0; pair < kPerWord<Format> / 2; ++pair) {
            const int m = (chunk * Shape::kValueWords + word) * (kPerWord<Format> / 2) + pair;
#pragma unroll
            for (int tile = 0; tile < kTiles; ++tile) {
              mma_16x8x16<Compute>(state.sum[tile][m], near[2 * pair], near[2 * pair + 1], far[2 * pair],
                                   far[2 * pair + 1], weights[tile][0], weights[tile][1]);
            }
          }
        }
      }
    }
  }
  __syncthreads();  // the rings have served: their memory takes the sums
  merge_and_store<Format, kHead, kTiles>(a, state, first_column, columns, key_head, shared);
}

template <typename Format, int kHead, int kTiles>
void launch_decode_tensor_for(const DecodeArguments& arguments, cudaStream_t stream) {
  const int rows = arguments.part == DecodePart::kPrefix ? arguments.rows : 1;
  const int columns = arguments.heads / arguments.key_heads * rows;
  const bool cluster = arguments.launch_splits > 1 && arguments.partial == nullptr;
  constexpr int kWarps = kTensorWarps<Format, kHead, kTiles>;
  Launch launch;
  launch.block = dim3(32 * kWarps);
  launch.grid = dim3(arguments.launch_splits, static_cast<unsigned>(arguments.key_heads * ceil_div(columns, 8 * kTiles)),
                     arguments.batches / rows);
  launch.shared_bytes =
      std::max<size_t>(kWarps * DecodeShape<Format, kHead>::kRingBytes,
                       MergeMemory<kHead, kWarps>::bytes(std::min<int64_t>(columns, 8 * kTiles), arguments.launch_splits));
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
