// y = softmax(scale · q kᵀ) v for one query per sequence, keys and values in pages.
//
// operand     shape         type            layout
// q           [B, H, D]     f32, f16, bf16  D contiguous, other axes at any stride
// keyPages    [G, P, K, D]  as q            contiguous; query head h uses key head h / (H/K)
// valuePages  [G, P, K, D]  as q            contiguous
// pageTable   [B, M]        i32             contiguous; entries past the sequence's length are not read
// lengths     [B]           i32             valid keys of each sequence, on the device; 0 gives zeros
// y           [B, H, D]     as q            contiguous
//
// Keys are split over blocks, and the number of splits is fixed by shapes alone, so a captured launch serves every
// length: each block works out its share from lengths[b] and leaves at once when there is none. A second kernel
// merges the shares; nothing in the workspace has to be zero beforehand.
// Two ways: attention_decode_fast.cuh (16-byte loads, H/K query heads share them) and attention_decode_plain.cuh
// (any head size up to 512, any alignment).
// Workspace: B · H · splits · (D + 2) floats.

#include <algorithm>
#include <cmath>

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "kernels/attention_decode_fast.cuh"
#include "kernels/attention_decode_plain.cuh"

namespace limen {
namespace {

enum Operand { kQ, kKeyPages, kValuePages, kPageTable, kLengths, kY };

constexpr int kMostHeadSize = 512;
// Enough blocks for several waves on 132 multiprocessors; a share shorter than 64 keys is not worth a block.
constexpr int64_t kWantedBlocks = 2112;
constexpr int64_t kLeastKeysPerSplit = 64;
constexpr int64_t kMostSplits = 128;

int splits_for(const OpCall& call) {
  const TensorView& pages = call.tensor(kKeyPages);
  const TensorView& table = call.tensor(kPageTable);
  const int64_t most_keys = table.shape[1] * pages.shape[1];
  const int64_t blocks = std::max<int64_t>(1, table.shape[0] * pages.shape[2]);
  const int64_t wanted = ceil_div(kWantedBlocks, blocks);
  return static_cast<int>(
      std::max<int64_t>(1, std::min({wanted, ceil_div(most_keys, kLeastKeysPerSplit), kMostSplits})));
}

size_t workspace_of_attention_decode_paged(const OpCall& call) {
  const int splits = splits_for(call);
  if (splits == 1) return 0;
  const TensorView& q = call.tensor(kQ);
  return static_cast<size_t>(q.shape[0] * q.shape[1]) * splits * (q.shape[2] + 2) * sizeof(float);
}

template <typename T>
void launch_typed(const OpCall& call) {
  const TensorView &q = call.tensor(kQ), &pages = call.tensor(kKeyPages);
  const auto stream = static_cast<cudaStream_t>(call.stream);
  DecodeArguments<T> a = {};
  a.q = q.as<T>();
  a.key_pages = pages.as<T>();
  a.value_pages = call.tensor(kValuePages).as<T>();
  a.page_table = call.tensor(kPageTable).as<int>();
  a.lengths = call.tensor(kLengths).as<int>();
  a.y = call.tensor(kY).as<T>();
  a.q_batch = q.stride[0];
  a.q_head = q.stride[1];
  a.batches = static_cast<int>(q.shape[0]);
  a.heads = static_cast<int>(q.shape[1]);
  a.head_size = static_cast<int>(q.shape[2]);
  a.page_size = static_cast<int>(pages.shape[1]);
  a.key_heads = static_cast<int>(pages.shape[2]);
  a.pages_per_sequence = static_cast<int>(call.tensor(kPageTable).shape[1]);
  a.page_shift = -1;
  for (int shift = 0; shift < 31; ++shift) {
    if (a.page_size == 1 << shift) a.page_shift = shift;
  }
  const double scale = call.number(0);
  a.scale = static_cast<float>(scale == 0 ? 1.0 / std::sqrt(static_cast<double>(a.head_size)) : scale);
  a.splits = splits_for(call);
  a.partial = static_cast<float*>(call.workspace);
  if (a.batches == 0 || a.heads == 0 || a.head_size == 0) return;
  if (a.key_heads == 0 || a.heads % a.key_heads != 0) {
    throw OpError("SHAPE_MISMATCH", "attentionDecodePaged: keyPages has the wrong number of heads: expected a divisor of " +
                                        std::to_string(a.heads) + ", got " + std::to_string(a.key_heads) + ".");
  }
  if (a.head_size > kMostHeadSize || a.batches > 65535 || a.heads > 65535) {
    throw OpError("SHAPE_MISMATCH",
                  "attentionDecodePaged: q is too large: expected D ≤ 512, B ≤ 65535 and H ≤ 65535, got D = " +
                      std::to_string(a.head_size) + ", B = " + std::to_string(a.batches) +
                      ", H = " + std::to_string(a.heads) + ".");
  }
  constexpr int kWidth = kVectorWidth<T>;
  const bool fast = a.head_size % kWidth == 0 && a.head_size <= 32 * kWidth && is_aligned16(a.q) &&
                    is_aligned16(a.key_pages) && is_aligned16(a.value_pages) && a.q_batch % kWidth == 0 &&
                    a.q_head % kWidth == 0;
  if (fast) {
    launch_decode_fast(a, stream);
  } else {
    launch_decode_plain(a, stream);
  }
  if (a.splits > 1) launch_decode_merge(a, stream);
}

void launch_attention_decode_paged(const OpCall& call) {
  dispatch_float(call.tensor(kQ).dtype, "attentionDecodePaged",
                 [&](auto tag) { launch_typed<typename decltype(tag)::type>(call); });
}

REGISTER_CUDA_OP(attention_decode_paged, launch_attention_decode_paged, workspace_of_attention_decode_paged);

}  // namespace
}  // namespace limen
