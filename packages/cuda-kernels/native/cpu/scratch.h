// Scratch memory of the calling thread. It grows to the largest request and stays, so a steady state allocates nothing.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace limen::cpu {

// At least `count` floats, 64-byte aligned, valid until this thread asks again.
inline float* thread_scratch(int64_t count) {
  constexpr size_t kAlignment = 64;
  thread_local std::vector<float> memory;
  const size_t needed = static_cast<size_t>(count) + kAlignment / sizeof(float);
  if (memory.size() < needed) memory = std::vector<float>(needed);
  void* start = memory.data();
  size_t space = memory.size() * sizeof(float);
  return static_cast<float*>(std::align(kAlignment, static_cast<size_t>(count) * sizeof(float), start, space));
}

}  // namespace limen::cpu
