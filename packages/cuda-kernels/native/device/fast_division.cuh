// Division by a number that is known at launch, as a multiplication: a kernel that splits an index into coordinates
// would otherwise spend most of its time dividing.

#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace limen {

// Divides unsigned values below 2^31. Source: https://gmplib.org/~tege/divcnst-pldi94.pdf, figure 4.1.
class FastDivisor {
 public:
  FastDivisor() = default;
  // `divisor` is in [1, 2^31].
  explicit FastDivisor(int64_t divisor) : divisor_(static_cast<uint32_t>(divisor)) {
    while ((int64_t{1} << shift_) < divisor) ++shift_;
    const uint64_t excess = (uint64_t{1} << shift_) - static_cast<uint64_t>(divisor);
    multiplier_ = static_cast<uint32_t>((excess << 32) / static_cast<uint64_t>(divisor) + 1);
  }

  __host__ __device__ uint32_t divisor() const { return divisor_; }

  __device__ __forceinline__ uint32_t quotient(uint32_t value) const {
    return (__umulhi(value, multiplier_) + value) >> shift_;
  }
  // Splits value = quotient · divisor + remainder, and returns the remainder.
  __device__ __forceinline__ uint32_t divide(uint32_t value, uint32_t& quotient_out) const {
    quotient_out = quotient(value);
    return value - quotient_out * divisor_;
  }

 private:
  uint32_t divisor_ = 1;
  uint32_t multiplier_ = 1;
  uint32_t shift_ = 0;
};

}  // namespace limen
