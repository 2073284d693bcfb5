// From an op call to kernels: a decode step of one layer in one launch where its tensors allow that, else by the ops it
// stands for, one after the other.
//
// A cluster holds the splits of a row and merges them itself. Up to eight of them: more are worth their second launch only
// where a row is so long that eight multiprocessors take long over it.

#pragma once

#include <string>
#include <vector>

#include "kernels/attention_append_kernel.cuh"
#include "kernels/attention_decode_launch.cuh"

namespace limen {

// Bytes of keys and values for each of eight blocks from which on more blocks, and a launch that merges them, pay.
inline constexpr int64_t kLongSplitBytes = 256 * 1024;
// Positions of a split from which on two blocks stand on a multiprocessor. With fewer there is one, and room beside it for
// the next layer, whose rings fill meanwhile.
inline constexpr int64_t kLongSplitKeys = 1024;

// Tensors and attributes of a call, by name. q, k and v are [B, heads, D].
struct AppendAttentionOperands {
  DecodeOperands decode;
  const TensorView &k, &v, &positions;
  const TensorView* rotary_positions;
  int rotary;
  double base;
  int64_t rotary_dimensions;
  bool settled;
};

struct AppendAttentionPlan {
  bool fast = false;
  int cluster = 1;  // blocks whose splits merge in shared memory
  int parts = 1;    // clusters of a row, merged by another launch if there are several
  int prefix_cluster = 0;  // blocks that share the keys of a prefix, in another launch; 0: rows read it each for itself
};

// Tensors of one token for each sequence, seen as [B, 1, heads, D].
inline TensorView with_token_axis(const TensorView& x) {
  TensorView view = x;
  view.rank = 4;
  view.shape[1] = 1, view.stride[1] = x.stride[0];
  view.shape[2] = x.shape[1], view.stride[2] = x.stride[1];
  view.shape[3] = x.shape[2], view.stride[3] = x.stride[2];
  return view;
}

inline int64_t rotary_pairs(const AppendAttentionOperands& o) {
  if (o.rotary == 0) return 0;
  return (o.rotary_dimensions == 0 ? o.decode.q.shape[2] : o.rotary_dimensions) / 2;
}

inline AppendAttentionPlan plan_append_attention(const AppendAttentionOperands& o) {
  AppendAttentionPlan plan;
  const DecodeOperands& d = o.decode;
  const int64_t pairs = rotary_pairs(o), wide = std::min<int64_t>(16, d.bits);  // bytes of eight stored elements
  plan.fast = plan_decode(d).tensor && 2 * pairs <= d.q.shape[2] && (o.rotary != 1 || pairs % 8 == 0) &&
              rows_stand_on(o.k, 16) && rows_stand_on(o.v, 16) && rows_stand_on(d.keys, wide) &&
              rows_stand_on(d.values, wide);
  if (!plan.fast) return plan;
  const DecodeDevice& device = DecodeDevice::current();
  plan.prefix_cluster = prefix_cluster_of(d);
  // About half of the keys are then the prefix's, and blocks of its launch want room beside this one's.
  const int64_t capacity = plan.prefix_cluster > 0 ? ceil_div(capacity_of(d), 2) : capacity_of(d);
  const int64_t key_heads = std::max<int64_t>(1, d.keys.shape[2]), per_key_head = d.q.shape[1] / key_heads;
  const int64_t rows = std::max<int64_t>(1, d.q.shape[0] * key_heads * ceil_div(per_key_head, per_key_head > 8 ? 16 : 8));
  const int64_t most = std::max<int64_t>(1, ceil_div(capacity, kLeastKeysPerSplit));
  int64_t wanted = std::max<int64_t>(1, device.multiprocessors / rows);
  if (capacity / wanted > kLongSplitKeys) wanted = std::max<int64_t>(1, 2 * device.multiprocessors / rows);
  while (2 * plan.cluster <= std::min({wanted, most, device.append_cluster})) plan.cluster *= 2;
  const int64_t bytes = capacity * d.q.shape[2] * d.bits / 4;  // of a key head
  if (wanted > plan.cluster && (device.append_cluster == 1 || bytes > plan.cluster * kLongSplitBytes)) {
    plan.parts = static_cast<int>(std::min<int64_t>(std::min(wanted, most) / plan.cluster, kMostDecodeSplits));
  }
  return plan;
}

inline const OpEntry& cuda_op(const std::string& name) {
  for (const OpEntry& entry : OpRegistry::instance().entries()) {
    if (entry.backend == Backend::kCuda && entry.name == name) return entry;
  }
  throw OpError("NOT_SUPPORTED", "attentionAppend: there is no kernel named " + name + ".");
}

// The same step by the two ops it stands for, as a list of calls. Queries turn in a copy, so that the caller's stay.
struct SeparateSteps {
  std::vector<TensorView> append, attend, copy;
  std::vector<double> append_attributes, attend_attributes;
  const char *append_name, *attend_name;
  size_t turned_bytes;

  explicit SeparateSteps(const AppendAttentionOperands& o, void* workspace) {
    const DecodeOperands& d = o.decode;
    const bool scaled = d.key_scales != nullptr, turns = o.rotary != 0;
    append_name = scaled ? "kv_append_quantized" : "kv_append";
    attend_name = scaled ? "attention_decode_quantized" : "attention_decode_paged";
    TensorView q = d.q;
    if (turns) {
      q.data = workspace, q.stride[1] = q.shape[2], q.stride[0] = q.shape[1] * q.shape[2];
      copy = {d.q, q};
    }
    turned_bytes = turns ? static_cast<size_t>(ceil_div(q.size() * static_cast<int64_t>(size_of(q.dtype)), 256) * 256) : 0;
    const TensorView none = {};
    append = {with_token_axis(o.k), with_token_axis(o.v), d.keys, d.values};
    attend = {q, d.keys, d.values};
    for (std::vector<TensorView>* const tensors : {&append, &attend}) {
      if (scaled) tensors->insert(tensors->end(), {*d.key_scales, *d.value_scales});
      tensors->push_back(d.table);
    }
    append.insert(append.end(), {column_of(o.positions), turns ? with_token_axis(q) : none,
                                 o.rotary_positions != nullptr ? column_of(*o.rotary_positions) : none});
    append_attributes = {static_cast<double>(o.rotary), o.base, static_cast<double>(o.rotary_dimensions)};
    attend.insert(attend.end(), {d.lengths, d.prefix_lengths != nullptr ? *d.prefix_lengths : none, d.y});
    attend_attributes = {d.scale, d.window, d.sinks};
  }

  // [B] → [B, 1]
  static TensorView column_of(const TensorView& x) {
    TensorView view = x;
    view.rank = 2, view.shape[1] = 1, view.stride[1] = 1;
    return view;
  }

  static OpCall call_of(const OpCall& call, const std::vector<TensorView>& tensors, const std::vector<double>& attributes) {
    OpCall step = call;
    step.tensors = tensors.data(), step.tensor_count = static_cast<int>(tensors.size());
    step.attributes = attributes.data(), step.attribute_count = static_cast<int>(attributes.size());
    return step;
  }

  size_t workspace(const OpCall& call) const {
    return turned_bytes + cuda_op(attend_name).workspace(call_of(call, attend, attend_attributes));
  }

  void launch(const OpCall& call) const {
    if (!copy.empty()) cuda_op("copy").launch(call_of(call, copy, {}));
    cuda_op(append_name).launch(call_of(call, append, append_attributes));
    OpCall last = call_of(call, attend, attend_attributes);
    last.workspace = static_cast<char*>(call.workspace) + turned_bytes;
    cuda_op(attend_name).launch(last);
  }
};

inline size_t workspace_of_append_attention(const OpCall& call, const AppendAttentionOperands& o) {
  const AppendAttentionPlan plan = plan_append_attention(o);
  const TensorView& q = o.decode.q;
  if (!plan.fast) return SeparateSteps(o, nullptr).workspace(call);
  if (plan.parts == 1 && plan.prefix_cluster == 0) return 0;
  return static_cast<size_t>(q.shape[0] * q.shape[1]) * plan.parts * (q.shape[2] + 2) * sizeof(float);
}

template <typename Format, int kHead, int kTiles>
void launch_append_attention_for(const AppendAttentionArguments& a, const RotaryFrequencies& frequencies,
                                 cudaStream_t stream) {
  using Memory = AppendMemory<Format, kHead, kTiles>;
  const DecodeArguments& d = a.decode;
  Launch launch;
  launch.block = dim3(Memory::kThreads);
  launch.grid = dim3(d.launch_splits, static_cast<unsigned>(d.key_heads * a.chunks), d.batches);
  launch.shared_bytes = Memory::kBytes;
  launch.stream = stream;
  launch.overlap = true;
  launch.cluster = static_cast<unsigned>(a.cluster);
  launch_kernel(launch, attention_append_kernel<Format, kHead, kTiles>, a, frequencies);
}

template <typename Format>
void launch_append_attention_fast(const AppendAttentionArguments& a, const RotaryFrequencies& frequencies,
                                  cudaStream_t stream) {
  const bool wide = a.decode.heads / a.decode.key_heads > 8;
  if (a.decode.head_size <= 64) {
    return wide ? launch_append_attention_for<Format, 64, 2>(a, frequencies, stream)
                : launch_append_attention_for<Format, 64, 1>(a, frequencies, stream);
  }
  if (a.decode.head_size > 128) return launch_append_attention_for<Format, 256, 1>(a, frequencies, stream);
  return wide ? launch_append_attention_for<Format, 128, 2>(a, frequencies, stream)
              : launch_append_attention_for<Format, 128, 1>(a, frequencies, stream);
}

// `Format` is that of the pages; f32 pages never take the fast way, whatever is named for them.
template <typename Format>
void launch_append_attention(const OpCall& call, const AppendAttentionOperands& o) {
  const DecodeOperands& d = o.decode;
  if (d.q.size() == 0) return;
  check_decode(call.name, d);
  const AppendAttentionPlan plan = plan_append_attention(o);
  if (!plan.fast) return SeparateSteps(o, call.workspace).launch(call);
  const auto stream = static_cast<cudaStream_t>(call.stream);
  DecodePlan decode_plan;
  decode_plan.splits = plan.parts;
  decode_plan.prefix_cluster = plan.prefix_cluster;
  if (plan.prefix_cluster > 0) decode_plan.rows = static_cast<int>(d.q.shape[0] / d.prefix_lengths->shape[0]);
  AppendAttentionArguments a = {};
  a.decode = decode_arguments(d, decode_plan, call.workspace);
  a.decode.launch_splits = plan.cluster * plan.parts;
  a.k = {o.k.data, o.k.stride[0], 0, o.k.stride[1]};
  a.v = {o.v.data, o.v.stride[0], 0, o.v.stride[1]};
  a.keys = append_target(d.keys, d.key_scales), a.values = append_target(d.values, d.value_scales);
  a.positions = o.positions.as<int>();
  a.rotary_positions = o.rotary_positions != nullptr ? o.rotary_positions->as<int>() : a.positions;
  a.pages = d.keys.shape[0];
  a.rotary = static_cast<Rotary>(o.rotary);
  a.cluster = plan.cluster;
  const int rounded = d.q.shape[2] <= 64 ? 64 : d.q.shape[2] <= 128 ? 128 : 256;
  while (plan.cluster << a.slice_shift < rounded / 4) ++a.slice_shift;
  a.neighbours = d.window == 0 && d.keys.shape[1] % 16 == 0 && a.decode.page_shift >= 0 && d.q.shape[2] == rounded &&
                 (d.key_scales == nullptr || same_strides(*d.key_scales, *d.value_scales));
  a.packed = a.neighbours && a.decode.keys.slot == d.q.shape[2] * d.bits / 8;
  a.per_key_head = a.decode.heads / a.decode.key_heads;
  a.chunks = static_cast<int>(ceil_div(a.per_key_head, a.per_key_head > 8 && d.q.shape[2] <= 128 ? 16 : 8));
  a.splits = FastDivisor(a.decode.launch_splits);
  a.settled = o.settled;
  const RotaryFrequencies& frequencies = rotary_frequencies(call.name, o.base, 2 * rotary_pairs(o));
  launch_append_attention_fast<Format>(a, frequencies, stream);
  if (plan.prefix_cluster > 0) {
    launch_prefix_attention({a.decode, a.rotary_positions, a.rotary, plan.prefix_cluster}, kStorageOf<Format>, frequencies,
                            stream);
  } else if (a.decode.partial != nullptr) {
    launch_decode_merge(a.decode, stream);
  }
}

}  // namespace limen
