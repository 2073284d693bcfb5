// Page-locked blocks that copies to ordinary host memory pass through. Kept for reuse, since locking pages is
// slow.

#pragma once

#include <cstddef>

namespace limen {

struct StagingBlock {
  void* memory = nullptr;
  size_t bytes = 0;
};

// At least `bytes` bytes; throws OpError when the system cannot lock that much. Safe from any thread.
StagingBlock take_staging(size_t bytes);
void give_back_staging(StagingBlock block);

}  // namespace limen
