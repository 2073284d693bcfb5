// Philox4x32 with 10 rounds: random numbers as a pure function of (key, counter), so that a draw depends on the seed
// and the token's place in its sequence and on nothing else: not on the batch, the grid or what ran before.
// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
// The TypeScript twin, with the published known answers as its test, is packages/tensor/src/philox.ts.

#pragma once

#include <cstdint>

namespace limen {

__device__ __forceinline__ uint4 philox4x32_10(uint4 counter, uint2 key) {
  constexpr uint32_t kMultiplier0 = 0xD2511F53u;
  constexpr uint32_t kMultiplier1 = 0xCD9E8D57u;
  constexpr uint32_t kWeyl0 = 0x9E3779B9u;  // golden ratio
  constexpr uint32_t kWeyl1 = 0xBB67AE85u;  // square root of 3, minus 1
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const uint32_t high0 = __umulhi(kMultiplier0, counter.x);
    const uint32_t low0 = kMultiplier0 * counter.x;
    const uint32_t high1 = __umulhi(kMultiplier1, counter.z);
    const uint32_t low1 = kMultiplier1 * counter.z;
    counter = make_uint4(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
    key.x += kWeyl0;
    key.y += kWeyl1;
  }
  return counter;
}

// −log(−log u) for u = (bits >> 8 + ½) · 2⁻²⁴, a draw from the standard Gumbel distribution in [−2.86, 17.33].
// Above one half u itself does not fit in 24 bits, and near one its distance to 1 is all that counts: the rounding
// error of u is carried along and added back, since log(u + r) ≈ log(u) + r there.
__device__ __forceinline__ float gumbel_from_bits(uint32_t bits) {
  const float below = static_cast<float>(bits >> 8) * 0x1p-24f;  // exact
  const float uniform = __fadd_rn(below, 0x1p-25f);
  const float residue = __fsub_rn(0x1p-25f, __fsub_rn(uniform, below));
  const float exponential = -__fadd_rn(logf(uniform), residue);
  return -__logf(exponential);
}

}  // namespace limen
