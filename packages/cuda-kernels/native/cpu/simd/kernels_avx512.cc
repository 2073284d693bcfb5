// The kernels compiled for AVX-512 (F, BW, DQ, VL). CMakeLists.txt gives this file its flags.
#if defined(__x86_64__)

#define LIMEN_SIMD_TARGET avx512
#include "cpu/simd/table.h"

namespace limen::cpu {

extern const Kernels kKernelsAvx512;
// Constant: nothing of this file may run before the processor has been asked.
constexpr Kernels kKernelsAvx512 = avx512::make_table("avx512");

}  // namespace limen::cpu

#endif
