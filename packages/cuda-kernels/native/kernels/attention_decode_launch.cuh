// From an op call to kernels: reads the arguments of paged decode attention, chooses the way and the splits.
//
// The number of splits follows from shapes alone, so a captured launch serves every length: each block works out its
// share from lengths[b] on the device. Up to four splits merge in the shared memory of a cluster; more of them
// (few sequences, few heads, long tables) go through the workspace and a merge kernel.
//
// A shared prefix is read once for all rows where that pays, which is again decided by shapes alone: rows attend to their
// own keys in one launch and to the prefix, together, in a second, which merges both.

#pragma once

#include <algorithm>
#include <cmath>

#include "core/op_registry.h"
#include "kernels/attention_decode_plain.cuh"
#include "kernels/attention_decode_prefix.h"
#include "kernels/attention_decode_tensor.cuh"

namespace limen {

// Blocks to aim for: two on each multiprocessor, all at once. One wave of long blocks beats many of short ones, because
// a block reads nothing while it gets going and while it merges.
inline constexpr int64_t kBlocksPerMultiprocessor = 2;
inline constexpr int64_t kLeastKeysPerSplit = 64;
// Two or four blocks merge faster in a cluster than through a second kernel; eight and more do not.
inline constexpr int64_t kMostClusterSplits = 4;

// Sharing pays from so many bytes on that rows save together if half of what their tables can hold is shared; below, the
// second launch costs more, since rows that read the same pages find them in L2. With many queries on a key head there is
// as much to multiply for a prefix that is read once as for one that is read often, and no gain.
inline constexpr int64_t kLeastSavedBytes = 400 << 20;
inline constexpr int64_t kMostSharingHeads = 2;

struct DecodePlan {
  bool tensor = false;   // the fast way
  bool cluster = false;  // splits merge inside the launch
  int splits = 1;        // of the keys that a row has to itself
  int prefix_cluster = 0;  // blocks that share the keys of a prefix; 0: rows read it each for itself
  int rows = 1;            // that share a prefix
};

// Tensors of a call, by name; scales and prefix may be absent.
struct DecodeOperands {
  const TensorView &q, &keys, &values, &table, &lengths, &y;
  const TensorView *key_scales, *value_scales, *prefix_lengths;
  int bits;
  double scale, window, sinks;
};

// What the splits depend on beside shapes; asked once.
struct DecodeDevice {
  int64_t multiprocessors, wanted_blocks, cluster_limit;
  int64_t append_cluster;  // blocks of a cluster in the one-launch decode step

  static const DecodeDevice& current() {
    static const DecodeDevice facts = [] {
      int device = 0, major = 0, multiprocessors = 0;
      cudaGetDevice(&device);
      cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
      cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device);
      const bool clusters = major >= 9;
      return DecodeDevice{multiprocessors, kBlocksPerMultiprocessor * multiprocessors, clusters ? kMostClusterSplits : 1,
                          clusters ? 8 : 1};
    }();
    return facts;
  }
};

inline bool same_strides(const TensorView& a, const TensorView& b) {
  return std::equal(a.stride, a.stride + a.rank, b.stride);
}

// Keys that a row can see.
inline int64_t capacity_of(const DecodeOperands& o) {
  const int64_t positions = o.table.shape[1] * o.keys.shape[1];
  return o.window > 0 ? std::min(positions, static_cast<int64_t>(o.window + o.sinks)) : positions;
}

// Blocks that share the keys of a prefix, for tensors that the fast way takes; 0 where each row had better read them itself.
inline int prefix_cluster_of(const DecodeOperands& o) {
  const int64_t batches = o.q.shape[0], head_size = o.q.shape[2], page_size = o.keys.shape[1];
  const int64_t key_heads = std::max<int64_t>(1, o.keys.shape[2]), heads_of_key = o.q.shape[1] / key_heads;
  const bool neighbours = page_size % 16 == 0 && (page_size & (page_size - 1)) == 0;
  if (o.prefix_lengths == nullptr || o.window > 0 || head_size > 128 || !neighbours) return 0;
  const int64_t groups = o.prefix_lengths->shape[0];
  if (groups == 0 || groups >= batches || groups > 65535) return 0;
  const int64_t columns = heads_of_key * (batches / groups), capacity = capacity_of(o);
  const int64_t saved = (batches - groups) * key_heads * capacity / 2 * head_size * o.bits / 4;
  if (heads_of_key > kMostSharingHeads || saved < kLeastSavedBytes || !warpgroup_attention_applies()) return 0;
  const int64_t tiles = key_heads * groups * ceil_div(columns, 64);
  const int64_t most = std::min<int64_t>({8, DecodeDevice::current().multiprocessors / tiles, ceil_div(capacity, 128)});
  int cluster = 1;
  while (2 * cluster <= most) cluster *= 2;
  return cluster;
}

inline DecodePlan plan_decode(const DecodeOperands& o) {
  DecodePlan plan;
  const int64_t head_size = o.q.shape[2], row_bytes = head_size * o.bits / 8;
  const int64_t batches = std::max<int64_t>(1, o.q.shape[0]), key_heads = std::max<int64_t>(1, o.keys.shape[2]);
  plan.tensor = o.q.dtype != DType::kF32 && head_size % 8 == 0 && head_size <= 256 &&
                row_bytes % 16 == 0 && same_strides(o.keys, o.values) && rows_stand_on(o.q, 16) &&
                rows_stand_on(o.keys, 16) && rows_stand_on(o.values, 16) && is_aligned16(o.y.data) &&
                (o.key_scales == nullptr || (rows_stand_on(*o.key_scales, 4) && rows_stand_on(*o.value_scales, 4)));
  plan.prefix_cluster = plan.tensor ? prefix_cluster_of(o) : 0;
  if (plan.prefix_cluster > 0) plan.rows = static_cast<int>(batches / o.prefix_lengths->shape[0]);

  const int64_t most = std::clamp<int64_t>(ceil_div(capacity_of(o), kLeastKeysPerSplit), 1, kMostDecodeSplits);
  const int64_t heads = plan.tensor ? key_heads : std::max<int64_t>(1, o.q.shape[1]);
  const DecodeDevice& device = DecodeDevice::current();
  const auto splits_for = [&](int64_t blocks) { return std::clamp<int64_t>(device.wanted_blocks / blocks, 1, most); };
  int64_t splits = splits_for(batches * heads);
  if (plan.tensor && plan.prefix_cluster == 0 && splits > 1) {
    int64_t power = 1;
    while (2 * power <= std::min(splits, device.cluster_limit)) power *= 2;
    plan.cluster = power > 1 && 2 * power > splits;
    if (plan.cluster) splits = power;
  }
  plan.splits = static_cast<int>(splits);
  return plan;
}

inline size_t workspace_of_decode(const DecodeOperands& o) {
  const DecodePlan plan = plan_decode(o);
  if (plan.prefix_cluster == 0 && (plan.splits == 1 || plan.cluster)) return 0;
  return static_cast<size_t>(o.q.shape[0] * o.q.shape[1]) * plan.splits * (o.q.shape[2] + 2) * sizeof(float);
}

inline PageView page_view(const TensorView& pages, const TensorView* scales) {
  const int64_t size = static_cast<int64_t>(size_of(pages.dtype));
  PageView view = {};
  view.data = pages.as<char>();
  view.page = pages.stride[0] * size, view.slot = pages.stride[1] * size, view.head = pages.stride[2] * size;
  if (scales != nullptr) {
    const int64_t scale_size = static_cast<int64_t>(size_of(scales->dtype));
    view.scales = scales->as<char>();
    view.scale_page = scales->stride[0] * scale_size, view.scale_slot = scales->stride[1] * scale_size;
    view.scale_head = scales->stride[2] * scale_size;
  }
  return view;
}

inline DecodeArguments decode_arguments(const DecodeOperands& o, const DecodePlan& plan, void* workspace) {
  DecodeArguments a = {};
  a.q = o.q.data;
  a.keys = page_view(o.keys, o.key_scales);
  a.values = page_view(o.values, o.value_scales);
  a.page_table = o.table.as<int>();
  a.lengths = o.lengths.as<int>();
  a.prefix_lengths = plan.prefix_cluster > 0 ? o.prefix_lengths->as<int>() : nullptr;
  a.y = o.y.data;
  a.q_batch = o.q.stride[0], a.q_head = o.q.stride[1];
  a.batches = static_cast<int>(o.q.shape[0]);
  a.heads = static_cast<int>(o.q.shape[1]);
  a.head_size = static_cast<int>(o.q.shape[2]);
  a.page_size = static_cast<int>(o.keys.shape[1]);
  a.key_heads = static_cast<int>(o.keys.shape[2]);
  a.pages_per_sequence = static_cast<int>(o.table.shape[1]);
  a.page_shift = -1;
  for (int shift = 0; shift < 31; ++shift) {
    if (a.page_size == 1 << shift) a.page_shift = shift;
  }
  a.window = static_cast<int>(o.window), a.sinks = static_cast<int>(o.sinks);
  a.rows = plan.rows;
  a.splits = a.launch_splits = plan.splits;
  const bool merges_itself = plan.prefix_cluster == 0 && (plan.splits == 1 || plan.cluster);
  a.partial = merges_itself ? nullptr : static_cast<float*>(workspace);
  a.scale = static_cast<float>(o.scale == 0 ? 1.0 / std::sqrt(static_cast<double>(a.head_size)) : o.scale);
  a.q_type = o.q.dtype;
  return a;
}

inline void check_decode(const char* op, const DecodeOperands& o) {
  const int64_t heads = o.q.shape[1], key_heads = o.keys.shape[2];
  if (key_heads == 0 || heads % key_heads != 0) {
    throw OpError("SHAPE_MISMATCH", std::string(op) + ": keyPages has the wrong number of heads: expected a divisor of " +
                                        std::to_string(heads) + ", got " + std::to_string(key_heads) + ".");
  }
  if (o.q.shape[2] > kMostPlainHeadSize || o.q.shape[0] > 65535 || heads > 65535) {
    throw OpError("SHAPE_MISMATCH", std::string(op) + ": q is too large: expected D ≤ 512, B ≤ 65535 and H ≤ 65535, got D = " +
                                        std::to_string(o.q.shape[2]) + ", B = " + std::to_string(o.q.shape[0]) +
                                        ", H = " + std::to_string(heads) + ".");
  }
}

// `tensor` launches the format's tensor-core kernel.
template <typename LaunchTensor>
void launch_decode(const OpCall& call, const DecodeOperands& o, StorageFormat format, LaunchTensor&& tensor) {
  if (o.q.size() == 0) return;
  check_decode(call.name, o);
  const auto stream = static_cast<cudaStream_t>(call.stream);
  const DecodePlan plan = plan_decode(o);
  DecodeArguments a = decode_arguments(o, plan, call.workspace);
  if (plan.tensor) {
    tensor(a, stream);
  } else if (o.q.dtype == DType::kF32) {
    launch_decode_plain<float>(a, format, stream);
  } else if (o.q.dtype == DType::kF16) {
    launch_decode_plain<__half>(a, format, stream);
  } else {
    launch_decode_plain<__nv_bfloat16>(a, format, stream);
  }
  if (plan.prefix_cluster > 0) {
    launch_prefix_attention({a, nullptr, Rotary::kNone, plan.prefix_cluster}, format, {}, stream);
  } else if (a.partial != nullptr) {
    launch_decode_merge(a, stream);
  }
}

}  // namespace limen
