// Moving rows bit by bit, whatever their element type: a row is a run of words of 16, 8, 4, 2 or 1 bytes.

#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace limen {

// Bytes of the widest word that divides everything or-ed into `facts`: addresses and byte distances of an access.
inline int widest_word(uint64_t facts) {
  for (int bytes = 16; bytes > 1; bytes /= 2) {
    if (facts % bytes == 0) return bytes;
  }
  return 1;
}
inline uint64_t address_of(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

// Calls body(Word{}) for words of that many bytes.
template <typename Body>
void dispatch_word(int bytes, Body&& body) {
  switch (bytes) {
    case 16: return body(uint4{});
    case 8: return body(uint2{});
    case 4: return body(uint32_t{});
    case 2: return body(uint16_t{});
    default: return body(uint8_t{});
  }
}

}  // namespace limen
