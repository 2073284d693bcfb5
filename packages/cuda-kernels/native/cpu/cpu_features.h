// What this processor can do, asked once. Kernels choose their instruction set from it.

#pragma once

#include <string>
#include <vector>

namespace limen {

struct CpuFeatures {
  bool avx2 = false;    // AVX2, FMA and F16C together: every processor that has one of them has all
  bool avx512 = false;  // AVX-512 F, BW, DQ and VL
  bool neon = false;
};

const CpuFeatures& detect_cpu();

// Names for people, e.g. {"avx2", "fma", "f16c", "avx512f"}. Empty when only the baseline is there.
std::vector<std::string> cpu_features();

}  // namespace limen
