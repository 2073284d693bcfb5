// Page-locked blocks that copies from and to ordinary host memory pass through. Kept for reuse, since locking
// pages is slow.

#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace limen {

struct StagingBlock {
  void* memory = nullptr;
  size_t bytes = 0;
};

// At least `bytes` bytes; throws OpError when the system cannot lock that much. Safe from any thread.
StagingBlock take_staging(size_t bytes);
void give_back_staging(StagingBlock block);

// Below this the driver's own staging is as fast.
constexpr size_t kSmallestStagedUpload = 1 << 20;

// Enqueues a copy from ordinary host memory; `source` may be reused when the call returns. Several threads fill
// one page-locked block while the copies of the blocks before it run, so that a large upload takes as long as
// the slower of host memory and link. The device is current, and the stream does not capture. Safe from any
// thread.
void staged_upload(int device, void* target, const void* source, size_t bytes, cudaStream_t stream);

}  // namespace limen
