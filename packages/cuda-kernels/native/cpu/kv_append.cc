// kv_append on the CPU: rotates the queries and keys of new tokens and writes keys and values into their pages.
//
//   k, v  [B, T, K, D]  last axis contiguous, f32 | f16 | bf16     keyPages, valuePages  [G, P, K, D]  likewise; written
//   pageTable  i32 [B, M]   positions  i32 [B, T]: negative ones are not stored
//   q?  [B, T, H, D]  rotated where it is   rotaryPositions?  i32 [B, T]
//   attributes: rotary (none | half | interleaved), base, rotaryDimensions (0 means D)

#include "cpu/kv_append_common.h"

namespace limen::cpu {
namespace {

void launch_kv_append(const OpCall& call) {
  const TensorView &k = call.tensor(0), &key_pages = call.tensor(2), &value_pages = call.tensor(3);
  require_type(call, "keyPages", key_pages, k.dtype);
  require_type(call, "valuePages", value_pages, k.dtype);
  const AppendOperands operands = {k,
                                   call.tensor(1),
                                   key_pages,
                                   call.tensor(4),
                                   call.tensor(5),
                                   call.tensor(6),
                                   call.tensor(7),
                                   call.integer(0),
                                   call.number(1),
                                   call.integer(2)};
  const Kernels& table = kernels();
  run_append(call, operands, [&](bool is_key, const float* x, int64_t page, int64_t slot, int64_t head) {
    table.narrow(x, stored_row(is_key ? key_pages : value_pages, page, slot, head), k.dtype, k.shape[3]);
  });
}

REGISTER_CPU_OP(kv_append, launch_kv_append);

}  // namespace
}  // namespace limen::cpu
