// Paged decode attention on tensor cores, at the speed of memory: every stored byte is copied once, in the background,
// and widened on its way from shared memory to the registers that feed the multiplication, whatever its format.
//
// Scores are computed transposed, S^T = K · Q^T: sixteen keys are the rows of a fragment, up to eight queries its
// columns. A single query (multi-head attention) fills one column of eight, and sixteen queries on one key head
// (GLM) fill two tiles; the tensor cores have room to spare either way. Values follow as O^T = V^T · P^T.
// The order of the head's elements inside a fragment is free, so each lane takes up to sixteen contiguous bytes of a
// key. A key's scale multiplies its score; a value's scale multiplies its weight, through the exponent: the
// running maximum is that of score + log2(scale), so that weights never leave the range of a half, however small the
// scale.
//
// Geometry: block of 4 to 8 warps ↔ one split × one key head and up to 8 · kTiles of its queries × one sequence; the
// warps take tiles of 16 · kDepth keys in turn, each with a softmax and a ring of two or three stages of its own. Two blocks fit a multiprocessor and keep about 96 KiB on the way, more than
// twice what latency times bandwidth asks for.
// The running maximum need not be the maximum: any reference near it serves. It is brought up to date only when a score
// exceeds it by more than kMaximumSlack, so most tiles need neither shuffles nor a rescaling.
// The warps are merged in shared memory, the splits through the shared memory of the cluster (or by
// attention_decode_merge_kernel where there are more splits than a cluster has blocks).

#pragma once

#include <algorithm>

#include "kernels/attention_decode_merge.cuh"

namespace limen {

template <typename Format, int kHead, int kTiles>
__global__ void __launch_bounds__(32 * kDecodeWarps<Format, kHead, kTiles>, kHead > 128 ? 1 : 2)
    attention_decode_tensor_kernel(const DecodeArguments a) {
  using Shape = DecodeShape<Format, kHead, kTiles>;
  using Ring = TileRing<Format, kHead, kTiles>;
  extern __shared__ __align__(128) float shared[];
  const int warp = threadIdx.x / 32;
  const int all_columns = a.heads / a.key_heads;
  const int chunks = (all_columns + 8 * kTiles - 1) / (8 * kTiles);
  const int key_head = blockIdx.y / chunks, first_column = blockIdx.y % chunks * 8 * kTiles;
  const int columns = min(8 * kTiles, all_columns - first_column);
  wait_for_upstream();
  let_downstream_start();

  const int batch = blockIdx.z, length = a.length_of(batch), end = a.seen_of(length);
  const KeyRange range = share_of_split(a.prefix_of(batch), end, blockIdx.x, a.launch_splits, Shape::kKeys);
  constexpr int kWarps = kDecodeWarps<Format, kHead, kTiles>, kStride = kWarps * Shape::kKeys;
  int tile_start = range.first + warp * Shape::kKeys;
  const Ring ring = {a, reinterpret_cast<char*>(shared) + warp * Shape::kRingBytes, batch, key_head,
                     a.head_size * Format::kBits / 8, length - end, range.last};
  typename Ring::Places next = {};
#pragma unroll
  for (int stage = 0; stage < Shape::kStages - 1; ++stage) {
    if (tile_start + stage * kStride < range.last) ring.fill(ring.stage(stage), ring.locate(tile_start + stage * kStride));
    commit_copies();
  }
  if (tile_start < range.last) next = ring.locate(tile_start + (Shape::kStages - 1) * kStride);

  QueryRegisters<Format, kHead, kTiles> queries = {};
  load_queries<Format, kHead, kTiles>(a, first_column, columns, key_head, queries.words, queries.sum);
  const FragmentPlaces<Format, kHead> places;
  DecodeState<kTiles, kHead> state;
  state.clear();
  const float factor = a.scale * 1.4426950408889634f;  // powers of two instead of e

  for (int used = 0; tile_start < range.last; tile_start += kStride, used = used + 1 == Shape::kStages ? 0 : used + 1) {
    wait_for_copies<Shape::kStages - 2>();
    __syncwarp();  // this stage is filled for all lanes, and nobody still reads the one before
    const int ahead = tile_start + (Shape::kStages - 1) * kStride;
    if (ahead < range.last) {
      ring.fill(ring.stage(used == 0 ? Shape::kStages - 1 : used - 1), next);
      next = ring.locate(ahead + kStride);
    }
    commit_copies();
    attend_tile<Format, kHead, kTiles>(ring.stage(used), places, queries, factor, tile_start, range.last, state);
  }
  __syncthreads();  // the rings have served: their memory takes the sums
  merge_and_store<Format, kHead, kTiles>(a, state, first_column, columns, key_head, shared);
}

template <typename Format, int kHead, int kTiles>
void launch_decode_tensor_for(const DecodeArguments& arguments, cudaStream_t stream) {
  const int columns = arguments.heads / arguments.key_heads;
  const bool cluster = arguments.launch_splits > 1 && arguments.partial == nullptr;
  constexpr int kWarps = kDecodeWarps<Format, kHead, kTiles>;
  Launch launch;
  launch.block = dim3(32 * kWarps);
  launch.grid = dim3(arguments.launch_splits, static_cast<unsigned>(arguments.key_heads * ceil_div(columns, 8 * kTiles)),
                     arguments.batches);
  launch.shared_bytes =
      std::max<size_t>(kWarps * DecodeShape<Format, kHead, kTiles>::kRingBytes,
                       MergeMemory<kHead, kWarps>::bytes(std::min<int64_t>(columns, 8 * kTiles), arguments.launch_splits));
  launch.stream = stream;
  launch.overlap = true;
  launch.cluster = cluster ? arguments.launch_splits : 1;
  launch_kernel(launch, attention_decode_tensor_kernel<Format, kHead, kTiles>, arguments);
}

// The caller has checked the types, alignment and D ≤ 256.
template <typename Format>
void launch_decode_tensor(const DecodeArguments& arguments, cudaStream_t stream) {
  const bool wide = arguments.heads / arguments.key_heads > 8;
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
