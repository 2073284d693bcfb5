// Element types and their sizes. The values are shared with packages/tensor/src/dtype.ts: never renumber.

#pragma once

#include <cstddef>
#include <cstdint>

namespace limen {

enum class DType : int32_t { kF32 = 0, kF16 = 1, kBF16 = 2, kI32 = 3, kI8 = 4, kU8 = 5, kF8E4M3 = 6 };

constexpr size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
    case DType::kI32: return 4;
    case DType::kF16:
    case DType::kBF16: return 2;
    default: return 1;
  }
}

constexpr const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::kF32: return "f32";
    case DType::kF16: return "f16";
    case DType::kBF16: return "bf16";
    case DType::kI32: return "i32";
    case DType::kI8: return "i8";
    case DType::kU8: return "u8";
    case DType::kF8E4M3: return "f8e4m3";
  }
  return "unknown";
}

}  // namespace limen
