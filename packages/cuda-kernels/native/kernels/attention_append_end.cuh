// How the one-launch decode step ends with up to eight queries on a key head: the softmaxes of a block's warps become one,
// and each block of a cluster sends every other its part of the sums. A send counts its bytes at the receiver's barrier, so a
// block waits for what it is to join and for nothing else: a barrier of the cluster would first see all writes of the block
// through to memory.

#pragma once

#include "device/cluster.cuh"
#include "kernels/attention_append_memory.cuh"

namespace limen {

__device__ __forceinline__ void add_scaled(float4& sum, const float4& part, float factor) {
  sum.x = fmaf(part.x, factor, sum.x), sum.y = fmaf(part.y, factor, sum.y);
  sum.z = fmaf(part.z, factor, sum.z), sum.w = fmaf(part.w, factor, sum.w);
}

// Maximum and total of a softmax over all keys so far.
struct Joined {
  float highest, total;
};

// Sets up the barrier that counts what the blocks of the cluster send to this one, and tells them so. Before anyone sends,
// wait_for_cluster() must have returned.
template <typename Memory>
__device__ __forceinline__ void expect_parts(const AppendAttentionArguments& a, int columns, char* shared) {
  if (threadIdx.x == 0) {
    auto* const barrier = reinterpret_cast<uint64_t*>(shared + Memory::kArrivals);
    init_barrier(barrier, 1);
    publish_barriers();
    arrive_expecting(barrier, a.cluster * columns * (16 * (1 << a.slice_shift) + 8));
  }
  __syncwarp();
  announce_to_cluster();
}

// Four sums of one column, of channels `at` … `at` + 3: to y, or as a share of a row with several clusters.
__device__ __forceinline__ void store_sums(const AppendAttentionArguments& a, int batch, int head, int at, const float4& sum,
                                           const Joined& joined) {
  const DecodeArguments& d = a.decode;
  if (d.partial == nullptr) {
    if (at < d.head_size) d.store4(batch, head, at, sum, joined.total > 0.0f ? __fdividef(1.0f, joined.total) : 0.0f);
    return;
  }
  const int split = static_cast<int>(blockIdx.x) / a.cluster;
  if (at == 0) *reinterpret_cast<float2*>(d.weights(batch, head, split)) = make_float2(joined.highest, joined.total);
  if (at < d.head_size) *reinterpret_cast<float4*>(d.sums(batch, head, split) + at) = sum;
}

// Joins `kParts` softmaxes of a column: `fact_of` and `sum_of` tell maximum and total, and four sums, of each.
template <int kParts, typename Facts, typename Sums>
__device__ __forceinline__ float4 join_parts(Joined& joined, const Facts& fact_of, const Sums& sum_of) {
  float2 fact[kParts];
  joined = {-INFINITY, 0.0f};
#pragma unroll
  for (int part = 0; part < kParts; ++part) {
    fact[part] = fact_of(part);
    joined.highest = fmaxf(joined.highest, fact[part].x);
  }
  const float base = joined.highest == -INFINITY ? 0.0f : joined.highest;
  float4 sum = {};
#pragma unroll
  for (int part = 0; part < kParts; ++part) {
    const float keep = power_of_two(fact[part].x - base);
    joined.total = fmaf(fact[part].y, keep, joined.total);
    add_scaled(sum, sum_of(part), keep);
  }
  return sum;
}

// Joins what the kParts blocks of a cluster have sent to this one.
template <typename Memory, int kParts>
__device__ __forceinline__ void join_cluster(const AppendAttentionArguments& a, int batch, int first_head, int columns,
                                             int rank, const char* shared) {
  constexpr int kSlice = Memory::kHead / 4 / kParts;  // of a row of sums, in fours
  const auto* const facts = reinterpret_cast<const float2*>(shared + Memory::kFacts);
  const auto* const received = reinterpret_cast<const float4*>(shared + Memory::kReceived);
  for (int index = threadIdx.x; index < columns * kSlice; index += Memory::kThreads) {
    const int column = index / kSlice, at = (rank * kSlice + index % kSlice) * 4;
    Joined joined;
    const float4 sum = join_parts<kParts>(
        joined, [&](int part) { return facts[part * columns + column]; },
        [&](int part) { return received[part * columns * kSlice + index]; });
    store_sums(a, batch, first_head + column, at, sum, joined);
  }
}

// Where four channels of a row of sums lie: neighbouring lanes of a fragment, whose runs of channels begin on the same
// banks, trade places within theirs.
template <typename Format, int kHead>
__device__ __forceinline__ int place_of_four(int four) {
  if constexpr (Format::kBits != 4) return four;
  return four ^ (four * 4 / DecodeShape<Format, kHead>::kValueElements & 1);
}

// Lays a column of a warp's sums down in the order of channels, without meeting a bank twice. Lane 4·g + t.
template <typename Format, int kHead>
__device__ __forceinline__ void lay_sums(float* row, int g, int c, const float (&sum)[kHead / 16][4], float lowest) {
  if constexpr (Format::kBits == 16) {
#pragma unroll
    for (int m = 0; m < kHead / 16; ++m) row[m * 16 + g] = sum[m][c], row[m * 16 + 8 + g] = sum[m][2 + c];
  } else if constexpr (Format::kBits == 8) {
#pragma unroll
    for (int m = 0; m < kHead / 16; ++m) {
      *reinterpret_cast<float2*>(row + m * 16 + 2 * g) = make_float2(sum[m][c], sum[m][2 + c]);
    }
  } else {
    constexpr int kRun = DecodeShape<Format, kHead>::kValueElements;  // channels that a lane has side by side
#pragma unroll
    for (int m = 0; m < kHead / 16; m += 2) {
      const int four = m * 2 % kRun / 4 + (m * 2 / kRun * 8 + g) * (kRun / 4);
      *reinterpret_cast<float4*>(row + 4 * place_of_four<Format, kHead>(four)) =
          make_float4(sum[m][c] + lowest, sum[m][2 + c] + lowest, sum[m + 1][c] + lowest, sum[m + 1][2 + c] + lowest);
    }
  }
}

template <typename Memory>
__device__ __forceinline__ void end_of_few(const AppendAttentionArguments& a, DecodeState<1, Memory::kHead>& state, int batch,
                                           int first_head, int columns, char* shared) {
  using Format = typename Memory::Format;
  constexpr int kHead = Memory::kHead, kWarps = Memory::kWarps, kThreads = Memory::kThreads, kPitch = Memory::kSumPitch;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  const auto row_of = [&](int w, int column) {
    return reinterpret_cast<float*>(shared + w * Memory::kRingBytes) + column * kPitch;
  };
  __syncwarp();  // the ring of this warp has served: its memory takes the sums
  state.template join_lanes<Format>();
  // Columns without a query are laid down like others and looked at by nobody.
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    float* const row = row_of(warp, 2 * t + c);
    if (g == 0) *reinterpret_cast<float2*>(row + kHead) = make_float2(state.maximum(0, c), state.total[0][c]);
    lay_sums<Format, kHead>(row, g, c, state.sum[0], state.lowest[0][c]);
  }
  __syncthreads();  // every warp's sums are in place
  const int rank = static_cast<int>(blockIdx.x) & (a.cluster - 1);
  const int slice = 1 << a.slice_shift;  // of a row, in fours
  constexpr int kRounds = (Memory::kColumns * kHead / 4 + kThreads - 1) / kThreads;
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const int index = round * kThreads + static_cast<int>(threadIdx.x);
    const int column = index / (kHead / 4), four = index % (kHead / 4);
    if (column >= columns) continue;
    const float* const row = row_of(0, column);
    constexpr int kNextWarp = Memory::kRingBytes / 4;
    Joined joined;
    const float4 sum = join_parts<kWarps>(
        joined, [&](int w) { return *reinterpret_cast<const float2*>(row + w * kNextWarp + kHead); },
        [&](int w) {
          return *reinterpret_cast<const float4*>(row + w * kNextWarp + 4 * place_of_four<Format, kHead>(four));
        });
    if (a.cluster == 1) {
      store_sums(a, batch, first_head + column, four * 4, sum, joined);
      continue;
    }
    const uint32_t owner = address_in_cluster(shared, four >> a.slice_shift);
    const int place = (rank * columns + column) * slice + (four & (slice - 1));
    send_in_cluster(owner + Memory::kReceived + place * 16, sum, owner + Memory::kArrivals);
    if (four < a.cluster) {
      const uint32_t other = address_in_cluster(shared, four);
      send_in_cluster(other + Memory::kFacts + (rank * columns + column) * 8,
                      make_float2(joined.highest, joined.total), other + Memory::kArrivals);
    }
  }
  if (a.cluster == 1) return;
  wait_for_phase(reinterpret_cast<uint64_t*>(shared + Memory::kArrivals), 0);  // every block's part has come
  switch (a.cluster) {
    case 2: return join_cluster<Memory, 2>(a, batch, first_head, columns, rank, shared);
    case 4: return join_cluster<Memory, 4>(a, batch, first_head, columns, rank, shared);
    default: return join_cluster<Memory, 8>(a, batch, first_head, columns, rank, shared);
  }
}

}  // namespace limen
