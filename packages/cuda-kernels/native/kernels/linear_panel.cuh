// Matrix times 9 to 64 vectors where the matrix is tall: warpgroup products (sm_90a) of f16 and bf16.
//
// operand  shape   type       layout
// x        [M, K]  f16, bf16  row-major, 16-byte aligned, K a multiple of 8
// weight   [N, K]  as x       row-major, 16-byte aligned; read once
// y        [M, N]  as x       see Projection
//
// With so many vectors it counts how often they are read: linear_stream reads all of x for every sixteen rows of the
// weight, which takes longer than the weight itself. Here a block multiplies up to 256 rows of the weight at a time, so x
// adds an eighth (32 vectors) or a quarter (64) to what passes from L2.
//
// Geometry: one block of four warpgroups on each multiprocessor, and one warp more that asks for boxes of 64 columns of
// weight and x (tensor maps) into a ring in shared memory; group ↔ 64 rows of the weight. The height of a tile is chosen
// so that all blocks get the same number of tiles: 102,400 rows are 132 × 4 tiles of 194. Whatever stands in shared memory
// beneath a tile's last row is multiplied too and dropped; it cannot reach the sums of other rows.
// Shared memory: the ring, up to 200 KiB.

#pragma once

#include <algorithm>

#include "device/launch.cuh"
#include "device/projection.cuh"
#include "device/vector_io.cuh"
#include "device/warpgroup_launch.cuh"

namespace limen {

inline constexpr int kPanelRowsLeast = 9, kPanelRowsMost = 64;  // of x
inline constexpr int kPanelGroups = 4, kPanelHeight = 64 * kPanelGroups;
inline constexpr int kPanelColumns = 64;  // of a stage: 128 bytes of each row
inline constexpr int kPanelThreads = 128 * kPanelGroups + 32;
inline constexpr int kPanelStagesMost = 16;
inline constexpr int kPanelRingBytes = 200 * 1024;

template <typename T>
struct PanelTask {
  Projection<T> out;
  int height, tiles;  // rows of the weight in a tile; tiles
  int steps;          // stages of a tile
  int stages, weight_bytes, stage_bytes;
  bool constant_weight;
};

template <typename T, int kRows>
__global__ void __launch_bounds__(kPanelThreads, 1)
    linear_panel_kernel(const PanelTask<T> task, const __grid_constant__ CUtensorMap weight,
                        const __grid_constant__ CUtensorMap x) {
#if LIMEN_WARPGROUPS
  extern __shared__ char unaligned[];
  __shared__ uint64_t full[kPanelStagesMost], empty[kPanelStagesMost];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = warp / 4;
  const int groups = (task.height + 63) / 64;  // that have rows
  if (threadIdx.x == 0) {
    for (int i = 0; i < task.stages; ++i) init_barrier(full + i, 1), init_barrier(empty + i, 4 * groups);
    publish_barriers();
  }
  __syncthreads();
  Ring ring = {unaligned + (1024 - shared_address(unaligned) % 1024) % 1024, full, empty, task.stages, task.stage_bytes};

  if (group == kPanelGroups) {
    if (lane > 0) return;
    const int own_tiles = (task.tiles - static_cast<int>(blockIdx.x) + static_cast<int>(gridDim.x) - 1) / gridDim.x;
    const int count = own_tiles * task.steps;
    const uint32_t bytes = task.height * 128 + kRows * 128;
    const auto ask_for_weight = [&](const Ring& at, int index) {
      const int tile = blockIdx.x + index / task.steps * gridDim.x, step = index % task.steps;
      arrive_expecting(at.full + at.index, bytes);
      copy_box(at.stage(), &weight, step * kPanelColumns, tile * task.height, at.full + at.index);
    };
    const int early = task.constant_weight ? min(task.stages, count) : 0;
    Ring ahead = ring;
    for (int i = 0; i < early; ++i, ahead.advance()) ask_for_weight(ahead, i);
    wait_for_upstream();  // the first weights are on their way before the producer of x is done
    for (int i = 0; i < count; ++i, ring.advance()) {
      if (i >= early) {
        ring.wait_until_empty();
        ask_for_weight(ring, i);
      }
      copy_box(ring.stage() + task.weight_bytes, &x, i % task.steps * kPanelColumns, 0, ring.full + ring.index);
    }
    let_downstream_start();
    return;
  }

  wait_for_upstream();
  if (group >= groups) return;
  for (int tile = blockIdx.x; tile < task.tiles; tile += gridDim.x) {
    float sum[kRows / 2];
    Ring previous = ring;
    for (int step = 0; step < task.steps; ++step) {
      ring.wait_until_full();
      const uint32_t stage = shared_address(ring.stage());
      const uint64_t rows = swizzled_operand(stage + group * 64 * 128), vectors = swizzled_operand(stage + task.weight_bytes);
      begin_products();
#pragma unroll
      for (int i = 0; i < kPanelColumns / 16; ++i) {
        multiply_group<T>(sum, operand_at(rows, i * 32), operand_at(vectors, i * 32), step > 0 || i > 0);
      }
      commit_products();
      // The products of the step before are complete: what they read may be overwritten.
      wait_for_products<1>();
      if (step > 0) previous.leave();
      ring.advance();
    }
    wait_for_products<0>();
    hold(sum);
    previous.leave();
#pragma unroll
    for (int i = 0; i < kRows / 2; ++i) {
      const int row = i / 4 * 8 + lane % 4 * 2 + i % 2;
      const int local = group * 64 + warp % 4 * 16 + lane / 4 + i % 4 / 2 * 8;
      const int64_t column = static_cast<int64_t>(tile) * task.height + local;
      if (local < task.height && row < task.out.rows && column < task.out.columns) task.out.store(row, column, sum[i]);
    }
  }
#endif
}

template <typename T>
const WarpgroupDevice& panel_device() {
  return warpgroup_device(reinterpret_cast<const void*>(linear_panel_kernel<T, 32>));
}

// Whether panels are the fastest way for these shapes on this device. Fewer rows of the weight would leave groups idle.
template <typename T>
bool prefers_panels(int64_t rows, int64_t columns, int64_t length) {
  if (rows < kPanelRowsLeast || rows > kPanelRowsMost || length == 0 || length % 8 != 0) return false;
  const WarpgroupDevice& device = panel_device<T>();
  return device.usable && columns >= int64_t{64} * device.multiprocessors && columns < (int64_t{1} << 31);
}

// The caller has asked prefers_panels and checked alignment.
template <typename T>
void launch_panel(const char* op, const T* x, const T* weight, int64_t length, const Projection<T>& out,
                  bool constant_weight, cudaStream_t stream) {
  const int blocks = panel_device<T>().multiprocessors;
  const int rows = out.rows <= 32 ? 32 : 64;
  PanelTask<T> task = {};
  task.out = out;
  const int64_t turns = ceil_div(out.columns, int64_t{kPanelHeight} * blocks);
  task.height = static_cast<int>(ceil_div(out.columns, turns * blocks));
  task.tiles = static_cast<int>(ceil_div(out.columns, task.height));
  task.steps = static_cast<int>(ceil_div(length, kPanelColumns));
  task.weight_bytes = static_cast<int>(ceil_div(task.height, 8)) * 1024;
  task.stage_bytes = task.weight_bytes + rows * 128;
  // Groups read 64 rows each, some of them beneath the tile.
  const int beneath = 64 * 128;
  task.stages = std::min(kPanelStagesMost, (kPanelRingBytes - beneath) / task.stage_bytes);
  task.constant_weight = constant_weight;
  Launch launch;
  launch.grid = dim3(static_cast<unsigned>(std::min(task.tiles, blocks)));
  launch.block = dim3(kPanelThreads);
  launch.shared_bytes = 1024 + task.stages * task.stage_bytes + beneath;
  launch.stream = stream;
  launch.overlap = true;
  const CUtensorMap weights = tensor_map(op, weight, {length, out.columns}, {length}, {kPanelColumns, task.height});
  const CUtensorMap vectors = tensor_map(op, x, {length, out.rows}, {length}, {kPanelColumns, rows});
  if (rows == 32) return launch_kernel(launch, linear_panel_kernel<T, 32>, task, weights, vectors);
  launch_kernel(launch, linear_panel_kernel<T, 64>, task, weights, vectors);
}

}  // namespace limen
