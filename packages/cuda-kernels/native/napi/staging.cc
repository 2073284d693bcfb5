#include "napi/staging.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "napi/cuda_device.h"

namespace limen {
namespace {

constexpr size_t kSmallestBlock = 64 << 10;
constexpr size_t kLargestKept = 64 << 20;
constexpr size_t kKeptInAll = 128 << 20;

struct StagingCache {
  std::mutex mutex;
  std::vector<StagingBlock> blocks;
  size_t bytes = 0;
};

// Never destroyed: the CUDA runtime may be gone when static destructors run.
StagingCache& staging_cache() {
  static auto* cache = new StagingCache();
  return *cache;
}

size_t size_class(size_t bytes) {
  size_t size = kSmallestBlock;
  while (size < bytes && size < kLargestKept) size *= 2;
  return std::max(size, bytes);
}

}  // namespace

StagingBlock take_staging(size_t bytes) {
  const size_t size = size_class(bytes);
  StagingCache& cache = staging_cache();
  {
    std::lock_guard<std::mutex> lock(cache.mutex);
    const auto found = std::find_if(cache.blocks.begin(), cache.blocks.end(),
                                    [size](const StagingBlock& block) { return block.bytes == size; });
    if (found != cache.blocks.end()) {
      const StagingBlock block = *found;
      cache.blocks.erase(found);
      cache.bytes -= block.bytes;
      return block;
    }
  }
  StagingBlock block{nullptr, size};
  const RelaxedCapture relaxed;  // another stream of this thread may be capturing
  LIMEN_CUDA_CHECK(cudaHostAlloc(&block.memory, size, cudaHostAllocPortable));
  return block;
}

void give_back_staging(StagingBlock block) {
  if (block.memory == nullptr) return;
  StagingCache& cache = staging_cache();
  {
    std::lock_guard<std::mutex> lock(cache.mutex);
    if (block.bytes <= kLargestKept && cache.bytes + block.bytes <= kKeptInAll) {
      cache.blocks.push_back(block);
      cache.bytes += block.bytes;
      return;
    }
  }
  cudaFreeHost(block.memory);
}

}  // namespace limen
