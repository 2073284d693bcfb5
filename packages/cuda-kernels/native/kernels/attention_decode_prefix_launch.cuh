// From the arguments of a shared prefix to the kernel of its storage format. Compiled once, with attention_decode_paged.cu;
// other ops know attention_decode_prefix.h alone.

#pragma once

#include "kernels/attention_decode_prefix.cuh"

namespace limen {

template <typename Format, int kHead>
void launch_prefix_attention_for(const PrefixArguments& a, const RotaryFrequencies& frequencies, cudaStream_t stream) {
  const DecodeArguments& d = a.decode;
  const int64_t columns = static_cast<int64_t>(d.heads / d.key_heads) * d.rows;
  Launch launch;
  launch.grid = dim3(a.cluster, static_cast<unsigned>(d.key_heads * ceil_div(columns, kPrefixQueries)), d.batches / d.rows);
  launch.block = dim3(kPrefixThreads);
  launch.shared_bytes = 1024 + PrefixMemory<Format, kHead>::kBytes;
  launch.stream = stream;
  launch.overlap = true;
  launch.cluster = static_cast<unsigned>(a.cluster);
  launch_kernel(launch, attention_prefix_kernel<Format, kHead>, a, frequencies);
}

template <typename Format>
void launch_prefix_attention_format(const PrefixArguments& a, const RotaryFrequencies& frequencies, cudaStream_t stream) {
  if (a.decode.head_size <= 64) return launch_prefix_attention_for<Format, 64>(a, frequencies, stream);
  launch_prefix_attention_for<Format, 128>(a, frequencies, stream);
}

bool warpgroup_attention_applies() {
  return warpgroup_device(reinterpret_cast<const void*>(attention_prefix_kernel<PagesBF16, 128>)).usable;
}

void launch_prefix_attention(const PrefixArguments& a, StorageFormat format, const RotaryFrequencies& frequencies,
                             cudaStream_t stream) {
  switch (format) {
    case StorageFormat::kF16: return launch_prefix_attention_format<PagesF16>(a, frequencies, stream);
    case StorageFormat::kBF16: return launch_prefix_attention_format<PagesBF16>(a, frequencies, stream);
    case StorageFormat::kFp8: return launch_prefix_attention_format<PagesFp8>(a, frequencies, stream);
    case StorageFormat::kInt8: return launch_prefix_attention_format<PagesInt8>(a, frequencies, stream);
    default: return launch_prefix_attention_format<PagesInt4>(a, frequencies, stream);
  }
}

}  // namespace limen
