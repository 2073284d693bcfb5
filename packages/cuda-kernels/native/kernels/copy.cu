// copy: y = x between any two layouts of the same shape.
//
//   x  [...]  any dtype, any strides
//   y  [...]  dtype of x, any strides; must not overlap x
//
// The launcher drops axes of size 1, joins axes that both tensors walk in one step, and moves the widest word (16 to 1
// bytes) that addresses, strides and the inner run allow; two dense tensors thus become one run of 16-byte words.
// Launch: one word per thread, 256 threads, grid-stride, neighbouring threads along the innermost axis of y. Bound by
// memory where the inner axes of x and y are both dense; a transposing copy reads short pieces and depends on L2.

#include "core/cuda_check.h"
#include "core/op_registry.h"
#include "device/grid.cuh"
#include "device/row_copy.cuh"

namespace limen {
namespace {

constexpr int kThreads = 256;

// Axes from innermost (0) to outermost, strides in words. Passed by value: it travels in the launch itself.
struct CopyPlan {
  int rank = 0;
  int64_t size[kMaxRank] = {};
  int64_t x_stride[kMaxRank] = {};
  int64_t y_stride[kMaxRank] = {};
};

template <typename Word, typename Index>
__global__ void __launch_bounds__(kThreads)
    copy_kernel(const Word* __restrict__ x, Word* __restrict__ y, Index items, const __grid_constant__ CopyPlan plan) {
  const Index stride = item_stride<Index>();
  for (Index item = first_item<Index>(); item < items; item += stride) {
    Index rest = item;
    int64_t from = 0;
    int64_t to = 0;
#pragma unroll
    for (int axis = 0; axis < kMaxRank; ++axis) {
      if (axis >= plan.rank) break;
      const Index size = static_cast<Index>(plan.size[axis]);
      const Index outer = axis == plan.rank - 1 ? 0 : rest / size;
      const int64_t position = rest - outer * size;
      from += position * plan.x_stride[axis];
      to += position * plan.y_stride[axis];
      rest = outer;
    }
    y[to] = x[from];
  }
}

CopyPlan plan_copy(const TensorView& x, const TensorView& y) {
  CopyPlan plan;
  for (int axis = x.rank - 1; axis >= 0; --axis) {
    const int64_t size = x.shape[axis];
    if (size == 1) continue;
    const int inner = plan.rank - 1;
    if (inner >= 0 && x.stride[axis] == plan.x_stride[inner] * plan.size[inner] &&
        y.stride[axis] == plan.y_stride[inner] * plan.size[inner]) {
      plan.size[inner] *= size;
      continue;
    }
    plan.size[plan.rank] = size;
    plan.x_stride[plan.rank] = x.stride[axis];
    plan.y_stride[plan.rank] = y.stride[axis];
    ++plan.rank;
  }
  return plan;
}

// Turns element strides into word strides and returns the word size in bytes.
int widen_words(CopyPlan& plan, const TensorView& x, const TensorView& y) {
  const int element_bytes = static_cast<int>(size_of(x.dtype));
  if (plan.rank == 0 || plan.x_stride[0] != 1 || plan.y_stride[0] != 1) return element_bytes;
  uint64_t facts = address_of(x.data) | address_of(y.data) | (plan.size[0] * element_bytes);
  for (int axis = 1; axis < plan.rank; ++axis) {
    facts |= (plan.x_stride[axis] * element_bytes) | (plan.y_stride[axis] * element_bytes);
  }
  const int word_bytes = widest_word(facts);
  if (word_bytes <= element_bytes) return element_bytes;
  const int elements = word_bytes / element_bytes;
  plan.size[0] /= elements;
  for (int axis = 1; axis < plan.rank; ++axis) {
    plan.x_stride[axis] /= elements;
    plan.y_stride[axis] /= elements;
  }
  return word_bytes;
}

void launch_copy(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  const TensorView& y = call.tensor(1);
  if (x.size() == 0) return;
  CopyPlan plan = plan_copy(x, y);
  const int word_bytes = widen_words(plan, x, y);
  const cudaStream_t stream = static_cast<cudaStream_t>(call.stream);
  const int64_t items = x.size() * static_cast<int64_t>(size_of(x.dtype)) / word_bytes;
  dispatch_word(word_bytes, [&](auto word) {
    using Word = decltype(word);
    const unsigned grid = grid_for(items, kThreads);
    if (fits_index32(items)) {
      copy_kernel<Word, uint32_t><<<grid, kThreads, 0, stream>>>(x.as<const Word>(), y.as<Word>(),
                                                                 static_cast<uint32_t>(items), plan);
    } else {
      copy_kernel<Word, uint64_t><<<grid, kThreads, 0, stream>>>(x.as<const Word>(), y.as<Word>(),
                                                                 static_cast<uint64_t>(items), plan);
    }
    LIMEN_CHECK_LAUNCH(copy_kernel);
  });
}

}  // namespace

REGISTER_CUDA_OP(copy, launch_copy);

}  // namespace limen
