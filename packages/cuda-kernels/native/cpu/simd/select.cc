// Chooses the table of kernels once, by what the processor can do.

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "cpu/cpu_features.h"
#include "cpu/simd/kernels.h"

namespace limen::cpu {

extern const Kernels kKernelsBaseline;
#if defined(__x86_64__)
extern const Kernels kKernelsAvx2;
extern const Kernels kKernelsAvx512;
#endif

int available_kernels(const Kernels* const** tables) {
  static const Kernels* list[3];
  static const int count = [] {
    int found = 0;
    list[found++] = &kKernelsBaseline;
#if defined(__x86_64__)
    if (detect_cpu().avx2) list[found++] = &kKernelsAvx2;
    if (detect_cpu().avx512) list[found++] = &kKernelsAvx512;
#endif
    return found;
  }();
  *tables = list;
  return count;
}

namespace {

const Kernels* choose() {
  const Kernels* const* tables = nullptr;
  const int count = available_kernels(&tables);
  if (const char* wanted = std::getenv("LIMEN_CPU_SIMD")) {
    for (int index = 0; index < count; ++index) {
      if (std::strcmp(tables[index]->name, wanted) == 0) return tables[index];
    }
  }
  return tables[count - 1];
}

std::atomic<const Kernels*>& chosen() {
  static std::atomic<const Kernels*> table{choose()};
  return table;
}

}  // namespace

const Kernels& kernels() { return *chosen().load(std::memory_order_acquire); }

void use_kernels(const Kernels& table) { chosen().store(&table, std::memory_order_release); }

}  // namespace limen::cpu
