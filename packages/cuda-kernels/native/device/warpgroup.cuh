// Products of a warpgroup (wgmma, sm_90a alone): four warps multiply 64 × 16 by 16 × N from shared memory, asynchronously,
// into registers; and tiles of matrices that the copy engine fetches by a tensor map.
//
// D of 64 × N: warp w of the group holds rows 16w..16w+15; with lane = 4·g + t, word 4j of d is (row g, column 8j + 2t),
// 4j + 1 the column after it, 4j + 2 and 4j + 3 the same of row g + 8.
// For other devices the functions compile to nothing and must not be used.

#pragma once

#include <cuda.h>

#include <type_traits>

#include "device/bulk_copy.cuh"
#include "device/convert.cuh"

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define LIMEN_WARPGROUPS 1
#else
#define LIMEN_WARPGROUPS 0
#endif

namespace limen {

// Where an operand lies, rows along k. Matrices of 8 rows × 16 bytes are its bricks:
//   plain      a brick is 128 bytes in a row, `along_k` bytes to the next brick along k, `along_rows` to the next 8 rows
//   swizzled   rows of 128 bytes, 16-byte chunk c of row r at c ^ (r % 8), as a tensor map with a swizzle of 128 bytes
//              writes them; `along_rows` is 1024; 16 values along k are 32 bytes
__device__ __forceinline__ uint64_t plain_operand(uint32_t address, int along_k, int along_rows) {
  return static_cast<uint64_t>((address & 0x3ffff) >> 4) | static_cast<uint64_t>(along_k >> 4) << 16 |
         static_cast<uint64_t>(along_rows >> 4) << 32;
}
__device__ __forceinline__ uint64_t swizzled_operand(uint32_t address) {
  return static_cast<uint64_t>((address & 0x3ffff) >> 4) | uint64_t{1} << 16 | uint64_t{1024 >> 4} << 32 |
         uint64_t{1} << 62;
}
// The operand `bytes` further on.
__device__ __forceinline__ uint64_t operand_at(uint64_t operand, int bytes) { return operand + (bytes >> 4); }

__device__ __forceinline__ void begin_products() {
#if LIMEN_WARPGROUPS
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}
__device__ __forceinline__ void commit_products() {
#if LIMEN_WARPGROUPS
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}
template <int kPending>
__device__ __forceinline__ void wait_for_products() {
#if LIMEN_WARPGROUPS
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
#endif
}
// Makes ordinary stores to shared memory visible to products and to the copy engine.
__device__ __forceinline__ void publish_stores() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

// A thread's registers, in steps of eight; all warps of a group together.
template <int kCount>
__device__ __forceinline__ void release_registers() {
#if LIMEN_WARPGROUPS
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kCount));
#endif
}
template <int kCount>
__device__ __forceinline__ void claim_registers() {
#if LIMEN_WARPGROUPS
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kCount));
#endif
}

// Asks for a box of a matrix at (column, row); the barrier counts its bytes.
__device__ __forceinline__ void copy_box(void* target, const CUtensorMap* map, int column, int row, uint64_t* barrier) {
#if LIMEN_WARPGROUPS
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(
          shared_address(target)),
      "l"(map), "r"(shared_address(barrier)), "r"(column), "r"(row)
      : "memory");
#endif
}

// A box of a four-dimensional tensor at (a, b, c, d), the innermost axis first.
__device__ __forceinline__ void copy_box(void* target, const CUtensorMap* map, int a, int b, int c, int d,
                                         uint64_t* barrier) {
#if LIMEN_WARPGROUPS
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], "
      "[%2];" ::"r"(shared_address(target)),
      "l"(map), "r"(shared_address(barrier)), "r"(a), "r"(b), "r"(c), "r"(d)
      : "memory");
#endif
}

// A box of a five-dimensional tensor.
__device__ __forceinline__ void copy_box(void* target, const CUtensorMap* map, int a, int b, int c, int d, int e,
                                         uint64_t* barrier, uint64_t policy) {
#if LIMEN_WARPGROUPS
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], "
      "[%1, {%3, %4, %5, %6, %7}], [%2], %8;" ::"r"(shared_address(target)),
      "l"(map), "r"(shared_address(barrier)), "r"(a), "r"(b), "r"(c), "r"(d), "r"(e), "l"(policy)
      : "memory");
#endif
}

// D (+)= A · Bᵀ over 16 values of k; `add` 0 overwrites D.
#if LIMEN_WARPGROUPS
#define LIMEN_PRODUCT(n, type, registers, a, b, p, ...)                                                            \
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %" #p ", 0; wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." type   \
               "." type " {" registers "}, %" #a ", %" #b ", p, 1, 1, 0, 0; }"                                      \
               : __VA_ARGS__                                                                                       \
               : "l"(left), "l"(right), "r"(add))
#endif

template <typename T>
__device__ __forceinline__ void multiply_group(float (&d)[4], uint64_t left, uint64_t right, int add) {
#if LIMEN_WARPGROUPS
#define LIMEN_REGISTERS \
                "%0, %1, %2, %3"
#define LIMEN_WORDS \
                "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
  if constexpr (std::is_same_v<T, __half>) {
    LIMEN_PRODUCT(8, "f16", LIMEN_REGISTERS, 4, 5, 6, LIMEN_WORDS);
  } else {
    LIMEN_PRODUCT(8, "bf16", LIMEN_REGISTERS, 4, 5, 6, LIMEN_WORDS);
  }
#undef LIMEN_REGISTERS
#undef LIMEN_WORDS
#endif
}
template <typename T>
__device__ __forceinline__ void multiply_group(float (&d)[8], uint64_t left, uint64_t right, int add) {
#if LIMEN_WARPGROUPS
#define LIMEN_REGISTERS \
                "%0, %1, %2, %3, %4, %5, %6, %7"
#define LIMEN_WORDS \
                "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7])
  if constexpr (std::is_same_v<T, __half>) {
    LIMEN_PRODUCT(16, "f16", LIMEN_REGISTERS, 8, 9, 10, LIMEN_WORDS);
  } else {
    LIMEN_PRODUCT(16, "bf16", LIMEN_REGISTERS, 8, 9, 10, LIMEN_WORDS);
  }
#undef LIMEN_REGISTERS
#undef LIMEN_WORDS
#endif
}
template <typename T>
__device__ __forceinline__ void multiply_group(float (&d)[16], uint64_t left, uint64_t right, int add) {
#if LIMEN_WARPGROUPS
#define LIMEN_REGISTERS \
                "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define LIMEN_WORDS \
                "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), \
                "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), \
                "+f"(d[15])
  if constexpr (std::is_same_v<T, __half>) {
    LIMEN_PRODUCT(32, "f16", LIMEN_REGISTERS, 16, 17, 18, LIMEN_WORDS);
  } else {
    LIMEN_PRODUCT(32, "bf16", LIMEN_REGISTERS, 16, 17, 18, LIMEN_WORDS);
  }
#undef LIMEN_REGISTERS
#undef LIMEN_WORDS
#endif
}
template <typename T>
__device__ __forceinline__ void multiply_group(float (&d)[32], uint64_t left, uint64_t right, int add) {
#if LIMEN_WARPGROUPS
#define LIMEN_REGISTERS \
                "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, " \
                "%22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define LIMEN_WORDS \
                "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), \
                "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), \
                "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), \
                "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), \
                "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
  if constexpr (std::is_same_v<T, __half>) {
    LIMEN_PRODUCT(64, "f16", LIMEN_REGISTERS, 32, 33, 34, LIMEN_WORDS);
  } else {
    LIMEN_PRODUCT(64, "bf16", LIMEN_REGISTERS, 32, 33, 34, LIMEN_WORDS);
  }
#undef LIMEN_REGISTERS
#undef LIMEN_WORDS
#endif
}
template <typename T>
__device__ __forceinline__ void multiply_group(float (&d)[64], uint64_t left, uint64_t right, int add) {
#if LIMEN_WARPGROUPS
#define LIMEN_REGISTERS \
                "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, " \
                "%22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, " \
                "%42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, " \
                "%62, %63"
#define LIMEN_WORDS \
                "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), \
                "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), \
                "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), \
                "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), \
                "+f"(d[29]), "+f"(d[30]), "+f"(d[31]), "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), \
                "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), \
                "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), "+f"(d[48]), "+f"(d[49]), \
                "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]), "+f"(d[56]), \
                "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
  if constexpr (std::is_same_v<T, __half>) {
    LIMEN_PRODUCT(128, "f16", LIMEN_REGISTERS, 64, 65, 66, LIMEN_WORDS);
  } else {
    LIMEN_PRODUCT(128, "bf16", LIMEN_REGISTERS, 64, 65, 66, LIMEN_WORDS);
  }
#undef LIMEN_REGISTERS
#undef LIMEN_WORDS
#endif
}
#undef LIMEN_PRODUCT

// D (+)= A · B with A in registers, four words of mma.sync's left fragment, and B lying with its columns in a row: rows
// of 64 columns, swizzled as a tensor map writes them; 8 rows are 1024 bytes, `along_columns` bytes to the next 64.
__device__ __forceinline__ uint64_t swizzled_columns(uint32_t address, int along_columns) {
  return static_cast<uint64_t>((address & 0x3ffff) >> 4) | static_cast<uint64_t>(along_columns >> 4) << 16 |
         uint64_t{1024 >> 4} << 32 | uint64_t{1} << 62;
}
#if LIMEN_WARPGROUPS
#define LIMEN_PRODUCT(n, type, registers, a0, a1, a2, a3, b, p, ...)                                               \
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %" #p ", 0; wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." type   \
               "." type " {" registers "}, {%" #a0 ", %" #a1 ", %" #a2 ", %" #a3 "}, %" #b ", p, 1, 1, 1; }"         \
               : __VA_ARGS__                                                                                       \
               : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "l"(right), "r"(add))
#endif

template <typename T>
__device__ __forceinline__ void multiply_group(float (&d)[32], const uint32_t (&left)[4], uint64_t right, int add) {
#if LIMEN_WARPGROUPS
#define LIMEN_REGISTERS \
                "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, " \
                "%22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define LIMEN_WORDS \
                "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), \
                "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), \
                "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), \
                "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), \
                "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
  if constexpr (std::is_same_v<T, __half>) {
    LIMEN_PRODUCT(64, "f16", LIMEN_REGISTERS, 32, 33, 34, 35, 36, 37, LIMEN_WORDS);
  } else {
    LIMEN_PRODUCT(64, "bf16", LIMEN_REGISTERS, 32, 33, 34, 35, 36, 37, LIMEN_WORDS);
  }
#undef LIMEN_REGISTERS
#undef LIMEN_WORDS
#endif
}
template <typename T>
__device__ __forceinline__ void multiply_group(float (&d)[64], const uint32_t (&left)[4], uint64_t right, int add) {
#if LIMEN_WARPGROUPS
#define LIMEN_REGISTERS \
                "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, " \
                "%22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, " \
                "%42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, " \
                "%62, %63"
#define LIMEN_WORDS \
                "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), \
                "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), \
                "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), \
                "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), \
                "+f"(d[29]), "+f"(d[30]), "+f"(d[31]), "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), \
                "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), \
                "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), "+f"(d[48]), "+f"(d[49]), \
                "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]), "+f"(d[56]), \
                "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
  if constexpr (std::is_same_v<T, __half>) {
    LIMEN_PRODUCT(128, "f16", LIMEN_REGISTERS, 64, 65, 66, 67, 68, 69, LIMEN_WORDS);
  } else {
    LIMEN_PRODUCT(128, "bf16", LIMEN_REGISTERS, 64, 65, 66, 67, 68, 69, LIMEN_WORDS);
  }
#undef LIMEN_REGISTERS
#undef LIMEN_WORDS
#endif
}
#undef LIMEN_PRODUCT

// Keeps the compiler from reading sums before, or reusing operands after, the wait that stands above.
template <int kCount>
__device__ __forceinline__ void hold(float (&d)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(d[i])::"memory");
}
template <int kCount>
__device__ __forceinline__ void hold(uint32_t (&words)[kCount][4]) {
#pragma unroll
  for (int i = 0; i < kCount * 4; ++i) asm volatile("" : "+r"(words[i / 4][i % 4])::"memory");
}

}  // namespace limen
