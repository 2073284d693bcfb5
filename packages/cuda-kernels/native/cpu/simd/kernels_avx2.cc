// The kernels compiled for AVX2 with FMA and F16C. CMakeLists.txt gives this file its flags.
#if defined(__x86_64__)

#define LIMEN_SIMD_TARGET avx2
#include "cpu/simd/table.h"

namespace limen::cpu {

extern const Kernels kKernelsAvx2;
// Constant: nothing of this file may run before the processor has been asked.
constexpr Kernels kKernelsAvx2 = avx2::make_table("avx2");

}  // namespace limen::cpu

#endif
