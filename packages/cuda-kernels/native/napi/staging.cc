#include "napi/staging.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "core/thread_pool.h"
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

namespace {

constexpr size_t kUploadBlock = 16 << 20;
constexpr size_t kUploadBlocks = 4;
constexpr int64_t kPiece = 512 << 10;

// Blocks in turn, each with the event behind its last copy.
struct UploadRing {
  std::mutex mutex;
  struct Slot {
    void* memory = nullptr;
    cudaEvent_t copied = nullptr;
  };
  std::array<Slot, kUploadBlocks> slots;
  size_t next = 0;
};

// Events belong to a device, so each has a ring. Never destroyed, see above.
UploadRing& upload_ring(int device) {
  static auto* mutex = new std::mutex();
  static auto* rings = new std::map<int, UploadRing>();
  std::lock_guard<std::mutex> lock(*mutex);
  return (*rings)[device];
}

// Pages of a mapped file are entered into the page table in one call, where the kernel can (Linux 5.14), instead
// of one fault for every few of them. Memory that is there already is left as it is.
void populate(const uint8_t* first, size_t bytes) {
#ifdef MADV_POPULATE_READ
  static const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t start = reinterpret_cast<uintptr_t>(first) & ~(page - 1);
  const uintptr_t end = reinterpret_cast<uintptr_t>(first) + bytes;
  madvise(reinterpret_cast<void*>(start), end - start, MADV_POPULATE_READ);
#endif
}

void copy_with_threads(uint8_t* target, const uint8_t* source, size_t bytes) {
  parallel_for(static_cast<int64_t>(bytes), kPiece, [&](int64_t begin, int64_t end) {
    populate(source + begin, static_cast<size_t>(end - begin));
    std::memcpy(target + begin, source + begin, static_cast<size_t>(end - begin));
  });
}

}  // namespace

void staged_upload(int device, void* target, const void* source, size_t bytes, cudaStream_t stream) {
  UploadRing& ring = upload_ring(device);
  std::lock_guard<std::mutex> lock(ring.mutex);
  const RelaxedCapture relaxed;  // another stream of this thread may be capturing
  for (size_t done = 0; done < bytes;) {
    UploadRing::Slot& slot = ring.slots[ring.next];
    if (slot.memory == nullptr && cudaHostAlloc(&slot.memory, kUploadBlock, cudaHostAllocPortable) != cudaSuccess) {
      // The system locks no more pages for us: the driver's own, slower way needs none of ours.
      cudaGetLastError();
      slot.memory = nullptr;
      LIMEN_CUDA_CHECK(cudaMemcpyAsync(static_cast<uint8_t*>(target) + done,
                                       static_cast<const uint8_t*>(source) + done, bytes - done,
                                       cudaMemcpyHostToDevice, stream));
      return;
    }
    if (slot.copied == nullptr) {
      LIMEN_CUDA_CHECK(cudaEventCreateWithFlags(&slot.copied, cudaEventDisableTiming));
    }
    LIMEN_CUDA_CHECK(cudaEventSynchronize(slot.copied));
    const size_t count = std::min(bytes - done, kUploadBlock);
    copy_with_threads(static_cast<uint8_t*>(slot.memory), static_cast<const uint8_t*>(source) + done, count);
    LIMEN_CUDA_CHECK(cudaMemcpyAsync(static_cast<uint8_t*>(target) + done, slot.memory, count,
                                     cudaMemcpyHostToDevice, stream));
    LIMEN_CUDA_CHECK(cudaEventRecord(slot.copied, stream));
    ring.next = (ring.next + 1) % kUploadBlocks;
    done += count;
  }
}

}  // namespace limen
