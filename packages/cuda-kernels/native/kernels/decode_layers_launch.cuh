// From an op call to decode_layers: reads the arguments, chooses the way.

#pragma once

#include <algorithm>
#include <cmath>

#include "core/op_registry.h"
#include "kernels/decode_layers_plain.cuh"
#include "kernels/decode_layers_tall_kernel.cuh"

namespace limen {

// Tensors of a call by name; scales are absent for weights of the common type.
struct LayersOperands {
  const TensorView &x, &attention_norm, &query_key_value, &output, &mlp_norm, &gate_up, &down;
  const TensorView &keys, &values, &page_table, &positions, &rotary_positions, &lengths, &y;
  const TensorView *query_key_value_scales, *output_scales, *gate_up_scales, *down_scales;
  double epsilon, base;

  int head_size() const { return static_cast<int>(keys.shape[4]); }
};

template <typename T>
DecodeLayersArguments<T> layers_arguments(const LayersOperands& o) {
  DecodeLayersArguments<T> a = {};
  const auto scales = [](const TensorView* view) { return view == nullptr ? nullptr : view->as<float>(); };
  a.x = o.x.as<T>(), a.y = o.y.as<T>();
  a.attention_norm = o.attention_norm.as<T>(), a.mlp_norm = o.mlp_norm.as<T>();
  a.query_key_value_scales = scales(o.query_key_value_scales), a.output_scales = scales(o.output_scales);
  a.gate_up_scales = scales(o.gate_up_scales), a.down_scales = scales(o.down_scales);
  a.weights = {o.query_key_value.data, o.output.data, o.gate_up.data, o.down.data};
  a.keys = o.keys.as<T>(), a.values = o.values.as<T>();
  a.page_layer = o.keys.stride[0], a.page = o.keys.stride[1], a.slot = o.keys.stride[2], a.head = o.keys.stride[3];
  a.page_table = o.page_table.as<int>(), a.positions = o.positions.as<int>();
  a.rotary_positions = (o.rotary_positions.present() ? o.rotary_positions : o.positions).as<int>();
  a.lengths = o.lengths.as<int>();
  a.layers = static_cast<int>(o.keys.shape[0]), a.batch = static_cast<int>(o.x.shape[0]);
  a.heads = static_cast<int>(o.keys.shape[3]), a.hidden_size = static_cast<int>(o.x.shape[1]);
  a.feed_forward = static_cast<int>(o.down.shape[2]), a.pages = static_cast<int>(o.keys.shape[1]);
  a.page_size = static_cast<int>(o.keys.shape[2]), a.pages_per_sequence = static_cast<int>(o.page_table.shape[1]);
  a.splits = splits_of_attention(a.batch);
  a.epsilon = static_cast<float>(o.epsilon);
  a.score_scale = static_cast<float>(1.4426950408889634 / std::sqrt(static_cast<double>(o.head_size())));
  a.layer_bytes = a.bytes_of_layer(a.heads * o.head_size());
  return a;
}

// Sizes alone decide, and the alignment of what the copy engine reads.
template <typename W>
bool takes_fast_way(const LayersOperands& o) {
  const int64_t channels = o.x.shape[1], width = o.keys.shape[3] * o.keys.shape[4], feed_forward = o.down.shape[2];
  constexpr int64_t kBlock = kBlockBytes / static_cast<int64_t>(sizeof(W));
  const auto aligned = [](const TensorView& view) { return is_aligned16(view.data); };
  const bool sizes = (o.head_size() == 32 || o.head_size() == 128) && channels % kBlock == 0 && width % kBlock == 0 &&
                     feed_forward % kBlock == 0 && o.x.shape[0] <= kLayersRowsMost &&
                     (o.x.shape[0] > 8 || (channels <= kHeldValues && width <= kHeldValues));
  return sizes && LayersDevice::current().major >= 9 && aligned(o.x) && aligned(o.y) && aligned(o.attention_norm) &&
         aligned(o.mlp_norm) && aligned(o.query_key_value) && aligned(o.output) && aligned(o.gate_up) && aligned(o.down) &&
         rows_stand_on(o.keys, 16) && rows_stand_on(o.values, 16) &&
         std::equal(o.keys.stride, o.keys.stride + 5, o.values.stride);
}

inline size_t workspace_of_layers(const LayersOperands& o) {
  const auto a = layers_arguments<__nv_bfloat16>(o);
  const int64_t streamed = std::min(a.layers, kScratchLayers) * a.layer_bytes;
  return static_cast<size_t>(std::max(streamed, bytes_of_plain(a, o.head_size())));
}

template <typename W>
void launch_decode_layers(const OpCall& call, const LayersOperands& o) {
  using T = __nv_bfloat16;
  DecodeLayersArguments<T> a = layers_arguments<T>(o);
  if (a.batch == 0 || a.layers == 0) return;
  a.scratch = static_cast<char*>(call.workspace);
  cudaStream_t stream = static_cast<cudaStream_t>(call.stream);
  const RotaryFrequencies& frequencies = rotary_frequencies(call.name, o.base, o.head_size());
  if (!takes_fast_way<W>(o)) return launch_layers_plainly<W>(a, frequencies, o.head_size(), stream);
  const auto launch = [&](auto tiles) -> void {
    constexpr int kTiles = decltype(tiles)::value;
    if constexpr (kTiles > 1 && std::is_same_v<W, T>) {
      if (o.head_size() == 32 ? launch_layers_tall<kTiles, 32>(a, frequencies, stream)
                              : launch_layers_tall<kTiles, 128>(a, frequencies, stream)) {
        return;
      }
    }
    if (o.head_size() == 32) return launch_layers<kTiles, 32, W, T>(a, frequencies, stream);
    launch_layers<kTiles, 128, W, T>(a, frequencies, stream);
  };
  if (a.batch <= 8) return launch(std::integral_constant<int, 1>{});
  if (a.batch <= 16) return launch(std::integral_constant<int, 2>{});
  launch(std::integral_constant<int, 4>{});
}

}  // namespace limen
