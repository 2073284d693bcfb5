// The kernels compiled for every machine: SSE2 on x86-64, NEON on aarch64. CMakeLists.txt gives this file its flags.

#define LIMEN_SIMD_TARGET baseline
#include "cpu/simd/table.h"

namespace limen::cpu {

extern const Kernels kKernelsBaseline;
// Constant: nothing of this file may run before the processor has been asked.
constexpr Kernels kKernelsBaseline = baseline::make_table("baseline");

}  // namespace limen::cpu

