// Writes the keys and values of new tokens into their pages.
//
// operand     shape         type                layout
// k, v        [B, T, K, D]  f32, f16, bf16      D contiguous, other axes at any stride
// keyPages    [G, P, K, D]  as k                contiguous; written
// valuePages  [G, P, K, D]  as k                contiguous; written
// pageTable   [B, M]        i32                 contiguous
// positions   [B, T]        i32                 contiguous; negative: the token is skipped
//
// The token at position p of sequence b goes to page pageTable[b, p / P], slot p % P. A position past M·P or a page
// outside [0, G) is skipped too: the kernel never writes outside the pool.
// Geometry: thread ↔ sixteen bytes of one token's keys and the same of its values (one element when something is
// unaligned), in a grid-stride loop. No shared memory.

#include <algorithm>

#include "core/dtype_dispatch.h"
#include "core/op_registry.h"
#include "device/launch.cuh"
#include "device/vector_io.cuh"

namespace limen {
namespace {

enum Operand { kK, kV, kKeyPages, kValuePages, kPageTable, kPositions };

struct Append {
  const char *k, *v;
  char *key_pages, *value_pages;
  const int *page_table, *positions;
  int64_t k_batch, k_token, k_head, v_batch, v_token, v_head;  // in units
  int64_t units;                                               // in all: B · T · K · units_per_head
  int tokens, heads, units_per_head, page_size, pages_per_sequence;
  int64_t pages;
};

template <typename Unit>
__global__ void __launch_bounds__(256) kv_append_kernel(const Append a) {
  wait_for_upstream();
  const int64_t step = static_cast<int64_t>(gridDim.x) * 256;
  for (int64_t index = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x; index < a.units; index += step) {
    const int unit = static_cast<int>(index % a.units_per_head);
    const int64_t row = index / a.units_per_head;
    const int head = static_cast<int>(row % a.heads);
    const int64_t token = row / a.heads;  // over B · T
    const int64_t batch = token / a.tokens, t = token % a.tokens;
    const int position = a.positions[token];
    if (position < 0 || position / a.page_size >= a.pages_per_sequence) continue;
    const int page = a.page_table[batch * a.pages_per_sequence + position / a.page_size];
    if (page < 0 || page >= a.pages) continue;
    const int64_t slot = static_cast<int64_t>(page) * a.page_size + position % a.page_size;
    const int64_t target = (slot * a.heads + head) * a.units_per_head + unit;
    reinterpret_cast<Unit*>(a.key_pages)[target] =
        reinterpret_cast<const Unit*>(a.k)[batch * a.k_batch + t * a.k_token + head * a.k_head + unit];
    reinterpret_cast<Unit*>(a.value_pages)[target] =
        reinterpret_cast<const Unit*>(a.v)[batch * a.v_batch + t * a.v_token + head * a.v_head + unit];
  }
}

// Elements per unit: sixteen bytes' worth when every address allows it, else one.
int64_t elements_per_unit(const OpCall& call) {
  const int64_t width = 16 / static_cast<int64_t>(size_of(call.tensor(kK).dtype));
  for (int operand = kK; operand <= kValuePages; ++operand) {
    const TensorView& view = call.tensor(operand);
    if (!is_aligned16(view.data) || view.shape[3] % width != 0) return 1;
    for (int axis = 0; axis < 3; ++axis) {
      if (view.stride[axis] % width != 0) return 1;
    }
  }
  return width;
}

void launch_kv_append(const OpCall& call) {
  const TensorView &k = call.tensor(kK), &v = call.tensor(kV), &pages = call.tensor(kKeyPages);
  if (k.size() == 0 || pages.size() == 0) return;
  const int64_t width = elements_per_unit(call);
  Append a = {};
  a.k = k.as<char>(), a.v = v.as<char>();
  a.key_pages = pages.as<char>(), a.value_pages = call.tensor(kValuePages).as<char>();
  a.page_table = call.tensor(kPageTable).as<int>(), a.positions = call.tensor(kPositions).as<int>();
  a.k_batch = k.stride[0] / width, a.k_token = k.stride[1] / width, a.k_head = k.stride[2] / width;
  a.v_batch = v.stride[0] / width, a.v_token = v.stride[1] / width, a.v_head = v.stride[2] / width;
  a.units = k.size() / width;
  a.tokens = static_cast<int>(k.shape[1]);
  a.heads = static_cast<int>(k.shape[2]);
  a.units_per_head = static_cast<int>(k.shape[3] / width);
  a.pages = pages.shape[0];
  a.page_size = static_cast<int>(pages.shape[1]);
  a.pages_per_sequence = static_cast<int>(call.tensor(kPageTable).shape[1]);

  Launch launch;
  launch.grid = dim3(static_cast<unsigned>(std::min<int64_t>(ceil_div(a.units, 256), 8192)));
  launch.block = dim3(256);
  launch.stream = static_cast<cudaStream_t>(call.stream);
  launch.overlap = true;
  if (width > 1) return launch_kernel(launch, kv_append_kernel<uint4>, a);
  if (size_of(k.dtype) == 4) return launch_kernel(launch, kv_append_kernel<uint32_t>, a);
  if (size_of(k.dtype) == 2) return launch_kernel(launch, kv_append_kernel<uint16_t>, a);
  throw OpError("UNSUPPORTED_DTYPE", std::string("kvAppend: k has an unsupported dtype: expected f32, f16 or bf16, got ") +
                                         name_of(k.dtype) + ".");
}

REGISTER_CUDA_OP(kv_append, launch_kv_append);

}  // namespace
}  // namespace limen
