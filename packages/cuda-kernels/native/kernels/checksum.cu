// checksum: y = exclusive or of the 32-bit words of x, the last one filled up with zero bytes.
//
//   x  [...]  i32, i8, u8; contiguous
//   y  [1]    i32
//
// Reads x once, past L1, eight 16-byte loads in flight per thread: as fast as the memory can be read. What lies before
// the first 16-byte boundary or after the last one goes byte by byte through block 0. A byte's place within its word
// counts from the start of x, so an address that is no multiple of four turns whole words by that many bytes.
// Launch: 256 threads and 32 KiB per block; a block joins its words in registers and adds them with one atomic. y is
// cleared by a memset on the stream before.

#include "core/cuda_check.h"
#include "core/op_registry.h"
#include "device/grid.cuh"
#include "device/reduce.cuh"
#include "device/vector_io.cuh"

namespace limen {
namespace {

constexpr int kThreads = 256;
constexpr int kLoads = 8;
constexpr int64_t kVectorsPerBlock = kThreads * kLoads;

__device__ __forceinline__ uint32_t join(const uint4& raw) { return raw.x ^ raw.y ^ raw.z ^ raw.w; }

// The bytes of [from, to) at their places within words that begin at x.
__device__ uint32_t join_bytes(const uint8_t* x, int64_t from, int64_t to) {
  uint32_t sum = 0;
  for (int64_t index = from + threadIdx.x; index < to; index += kThreads) {
    sum ^= static_cast<uint32_t>(x[index]) << (8 * (index % 4));
  }
  return sum;
}

// `head` bytes lie before the first vector, `vectors` vectors follow, then the rest of `bytes`.
__global__ void __launch_bounds__(kThreads)
    checksum_kernel(const uint8_t* x, int64_t bytes, int64_t head, int64_t vectors, uint32_t* y) {
  const uint4* const body = reinterpret_cast<const uint4*>(x + head);
  uint32_t sum = 0;
  for (int64_t first = static_cast<int64_t>(blockIdx.x) * kVectorsPerBlock; first < vectors;
       first += static_cast<int64_t>(gridDim.x) * kVectorsPerBlock) {
    const int64_t mine = first + threadIdx.x;
    if (first + kVectorsPerBlock <= vectors) {
      uint4 raw[kLoads];
#pragma unroll
      for (int load = 0; load < kLoads; ++load) raw[load] = load16_raw_once(body + mine + load * kThreads);
#pragma unroll
      for (int load = 0; load < kLoads; ++load) sum ^= join(raw[load]);
    } else {
      for (int64_t index = mine; index < vectors; index += kThreads) sum ^= join(load16_raw_once(body + index));
    }
  }
  // Vectors begin `head` bytes into x: their words are turned by head mod 4 bytes.
  sum = __funnelshift_l(sum, sum, 8 * static_cast<uint32_t>(head % 4));
  if (blockIdx.x == 0) sum ^= join_bytes(x, 0, head) ^ join_bytes(x, head + 16 * vectors, bytes);

#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) sum ^= __shfl_xor_sync(kFullWarp, sum, offset);
  __shared__ uint32_t partial[kThreads / 32];
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
#pragma unroll
    for (int warp = 1; warp < kThreads / 32; ++warp) sum ^= partial[warp];
    if (sum != 0) atomicXor(y, sum);
  }
}

void launch_checksum(const OpCall& call) {
  const TensorView& x = call.tensor(0);
  uint32_t* const y = call.tensor(1).as<uint32_t>();
  const cudaStream_t stream = static_cast<cudaStream_t>(call.stream);
  LIMEN_CUDA_CHECK(cudaMemsetAsync(y, 0, sizeof(uint32_t), stream));
  const int64_t bytes = x.size() * static_cast<int64_t>(size_of(x.dtype));
  if (bytes == 0) return;
  const int64_t to_boundary = (16 - static_cast<int64_t>(reinterpret_cast<uintptr_t>(x.data) % 16)) % 16;
  const int64_t head = to_boundary < bytes ? to_boundary : bytes;
  const int64_t vectors = (bytes - head) / 16;
  const unsigned grid = vectors == 0 ? 1 : grid_for(vectors, static_cast<int>(kVectorsPerBlock));
  checksum_kernel<<<grid, kThreads, 0, stream>>>(x.as<const uint8_t>(), bytes, head, vectors, y);
  LIMEN_CHECK_LAUNCH(checksum_kernel);
}

}  // namespace

REGISTER_CUDA_OP(checksum, launch_checksum);

}  // namespace limen
