// What both attention kernels are told. Offsets are in elements.

#pragma once

#include <cstdint>

namespace limen {

template <typename T>
struct AttentionArguments {
  const T* q;          // [B, T, H, D]
  const T* k;          // [B, S, K, D]
  const T* v;          // [B, S, K, D]
  const int* lengths;  // [B] or null: keys at and past lengths[b] are masked
  T* y;                // [B, T, H, D], contiguous
  // Distance from one batch entry, token or head to the next; heads lie D apart only by chance.
  int64_t q_batch, q_token, q_head;
  int64_t k_batch, k_token, k_head;
  int64_t v_batch, v_token, v_head;
  int batches, queries, keys, heads, key_heads, head_size;
  float scale;
  bool causal;  // query t sees keys s ≤ t + (keys − queries)
};

}  // namespace limen
