// appendTokens: history[b, counters[b]] = ids[b].
//
//   history   [B, L]  i32  contiguous, written
//   ids       [B]     i32
//   counters  [B]     i32  outside [0, L): nothing is written
//
// One thread per sequence.

#include "core/cuda_check.h"
#include "core/op_registry.h"

namespace limen {
namespace {

__global__ void append_tokens_kernel(int32_t* __restrict__ history, const int32_t* __restrict__ ids,
                                     const int32_t* __restrict__ counters, int64_t sequences, int64_t length) {
  const int64_t b = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (b >= sequences) return;
  const int64_t at = counters[b];
  if (at >= 0 && at < length) history[b * length + at] = ids[b];
}

void launch_append_tokens(const OpCall& call) {
  const TensorView& history = call.tensor(0);
  const int64_t sequences = history.shape[0];
  const int64_t length = history.shape[1];
  if (sequences == 0 || length == 0) return;
  constexpr int kThreads = 128;
  const auto blocks = static_cast<unsigned>((sequences + kThreads - 1) / kThreads);
  append_tokens_kernel<<<blocks, kThreads, 0, static_cast<cudaStream_t>(call.stream)>>>(
      history.as<int32_t>(), call.tensor(1).as<int32_t>(), call.tensor(2).as<int32_t>(), sequences, length);
  LIMEN_CHECK_LAUNCH(append_tokens_kernel);
}

REGISTER_CUDA_OP(append_tokens, launch_append_tokens);

}  // namespace
}  // namespace limen
