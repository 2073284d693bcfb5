// y = softmax(scale · q kᵀ + mask) v, many queries at once: prefill and vision towers.
//
// operand  shape         type            layout
// q        [B, T, H, D]  f32, f16, bf16  D contiguous, other axes at any stride
// k, v     [B, S, K, D]  as q            likewise; query head h uses key head h / (H/K)
// lengths  [B]           i32             optional: keys at and past lengths[b] are masked
// y        [B, T, H, D]  as q            contiguous; a query that sees no key gets zeros
//
// Causal: query t sees keys s ≤ t + (S − T), the last query all of them.
// Four ways. f16 and bf16 with 16-byte aligned rows and D a multiple of 8 run on tensor cores: attention_warpgroup.cuh
// for D of 40 to 128 on Hopper, attention_flash.cuh for D up to 128 elsewhere, attention_wide.cuh for D up to 512.
// attention_plain.cuh takes everything else.
//
// One query per sequence over a paged cache: attention_decode_paged.cu.

#include <cmath>

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/vector_io.cuh"
#include "kernels/attention_flash.cuh"
#include "kernels/attention_plain.cuh"
#include "kernels/attention_warpgroup.cuh"
#include "kernels/attention_wide.cuh"

namespace limen {
namespace {

enum Operand { kQ, kK, kV, kLengths, kY };
enum Attribute { kScale, kCausal };

constexpr int kMostHeadSize = 512;

template <typename T>
AttentionArguments<T> arguments_of(const OpCall& call) {
  const TensorView &q = call.tensor(kQ), &k = call.tensor(kK), &v = call.tensor(kV);
  AttentionArguments<T> a = {};
  a.q = q.as<T>();
  a.k = k.as<T>();
  a.v = v.as<T>();
  a.lengths = call.tensor(kLengths).as<int>();
  a.y = call.tensor(kY).as<T>();
  a.q_batch = q.stride[0], a.q_token = q.stride[1], a.q_head = q.stride[2];
  a.k_batch = k.stride[0], a.k_token = k.stride[1], a.k_head = k.stride[2];
  a.v_batch = v.stride[0], a.v_token = v.stride[1], a.v_head = v.stride[2];
  a.batches = static_cast<int>(q.shape[0]);
  a.queries = static_cast<int>(q.shape[1]);
  a.heads = static_cast<int>(q.shape[2]);
  a.head_size = static_cast<int>(q.shape[3]);
  a.keys = static_cast<int>(k.shape[1]);
  a.key_heads = static_cast<int>(k.shape[2]);
  const double scale = call.number(kScale);
  a.scale = static_cast<float>(scale == 0 ? 1.0 / std::sqrt(static_cast<double>(a.head_size)) : scale);
  a.causal = call.flag(kCausal);
  return a;
}

template <typename T>
bool tensor_cores_apply(const AttentionArguments<T>& a) {
  // The running maximum is taken before scaling, which needs a positive scale.
  if (a.head_size % 8 != 0 || !(a.scale > 0)) return false;
  const int64_t strides[] = {a.q_batch, a.q_token, a.q_head, a.k_batch, a.k_token,
                             a.k_head,  a.v_batch, a.v_token, a.v_head};
  for (const int64_t stride : strides) {
    if (stride % 8 != 0) return false;
  }
  return is_aligned16(a.q) && is_aligned16(a.k) && is_aligned16(a.v) && is_aligned16(a.y);
}

template <typename T>
void launch_typed(const OpCall& call) {
  const AttentionArguments<T> a = arguments_of<T>(call);
  const auto stream = static_cast<cudaStream_t>(call.stream);
  if (a.batches == 0 || a.queries == 0 || a.heads == 0 || a.head_size == 0) return;
  if (a.key_heads == 0 || a.heads % a.key_heads != 0) {
    throw OpError("SHAPE_MISMATCH", "attention: k has the wrong number of heads: expected a divisor of " +
                                        std::to_string(a.heads) + ", got " + std::to_string(a.key_heads) + ".");
  }
  if (a.head_size > kMostHeadSize) {
    throw OpError("SHAPE_MISMATCH", "attention: q has too large a head: expected D ≤ " +
                                        std::to_string(kMostHeadSize) + ", got " + std::to_string(a.head_size) + ".");
  }
  if (a.heads > 65535 || a.batches > 65535) {
    throw OpError("SHAPE_MISMATCH", "attention: q is too large: expected B ≤ 65535 and H ≤ 65535, got B = " +
                                        std::to_string(a.batches) + ", H = " + std::to_string(a.heads) + ".");
  }
  if constexpr (sizeof(T) == 2) {
    if (tensor_cores_apply(a)) {
      if (a.head_size <= 32) return launch_attention_flash<T, 32>(a, stream);
      if (a.head_size <= 128 && attention_warpgroups_apply(a)) return launch_attention_warpgroup(a, stream);
      if (a.head_size <= 128) return launch_attention_flash<T, 128>(a, stream);
      const bool narrow = a.head_size <= 256;
      if (narrow ? launch_attention_wide<T, 256>(a, stream) : launch_attention_wide<T, 512>(a, stream)) return;
    }
  }
  if (a.head_size <= 128) return launch_attention_plain<T, 128>(a, stream);
  if (a.head_size <= 256) return launch_attention_plain<T, 256>(a, stream);
  return launch_attention_plain<T, 512>(a, stream);
}

void launch_attention(const OpCall& call) {
  dispatch_float(call.tensor(kQ).dtype, "attention",
                 [&](auto tag) { launch_typed<typename decltype(tag)::type>(call); });
}

REGISTER_CUDA_OP(attention, launch_attention);

}  // namespace
}  // namespace limen
