#include "cpu/cpu_features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace limen {
namespace {

CpuFeatures ask() {
  CpuFeatures features;
#if defined(__x86_64__)
  // __builtin_cpu_supports also checks that the operating system saves the wide registers.
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  const bool f16c = __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx >> 29 & 1);
  features.avx2 = f16c && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  features.avx512 = features.avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#elif defined(__aarch64__)
  features.neon = true;
#endif
  return features;
}

}  // namespace

const CpuFeatures& detect_cpu() {
  static const CpuFeatures features = ask();
  return features;
}

std::vector<std::string> cpu_features() {
  std::vector<std::string> names;
  if (detect_cpu().avx2) names.insert(names.end(), {"avx2", "fma", "f16c"});
  if (detect_cpu().avx512) names.insert(names.end(), {"avx512f", "avx512bw", "avx512dq", "avx512vl"});
  if (detect_cpu().neon) names.push_back("neon");
  return names;
}

}  // namespace limen
