// Attention to a prefix that rows of a group share: the second launch of a decode step, after that of the rows' own keys.
// Kernel: attention_decode_prefix.cuh; defined in attention_decode_paged.cu.

#pragma once

#include "device/storage_format.cuh"
#include "kernels/attention_decode_common.cuh"
#include "kernels/kv_append_common.cuh"

namespace limen {

struct PrefixArguments {
  DecodeArguments decode;  // partial and splits: what the rows' own keys have come to; prefix_lengths and rows of a group
  const int* rotary_positions;  // [B]; not read where queries do not turn
  Rotary rotary;
  int cluster;  // blocks that share the prefix of a group: 1, 2, 4 or 8
};

// Whether the device and the build have warpgroup products, which the kernel needs.
bool warpgroup_attention_applies();

// `format` is not kF32, heads are of up to 128.
void launch_prefix_attention(const PrefixArguments& arguments, StorageFormat format, const RotaryFrequencies& frequencies,
                             cudaStream_t stream);

}  // namespace limen
