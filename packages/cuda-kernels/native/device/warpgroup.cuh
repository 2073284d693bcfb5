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

// The registers of D as an instruction names them, and as operands: the first 4, 8, 16 … words.
#define LIMEN_NAMES_4 "%0, %1, %2, %3"
#define LIMEN_NAMES_8 LIMEN_NAMES_4 ", %4, %5, %6, %7"
#define LIMEN_NAMES_16 LIMEN_NAMES_8 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define LIMEN_NAMES_32 \
  LIMEN_NAMES_16 ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define LIMEN_NAMES_64 \
  LIMEN_NAMES_32 ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, " \
  "%51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define LIMEN_WORDS_4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define LIMEN_WORDS_8(i) LIMEN_WORDS_4(i), LIMEN_WORDS_4(i + 4)
#define LIMEN_WORDS_16(i) LIMEN_WORDS_8(i), LIMEN_WORDS_8(i + 8)
#define LIMEN_WORDS_32(i) LIMEN_WORDS_16(i), LIMEN_WORDS_16(i + 16)
#define LIMEN_WORDS_64(i) LIMEN_WORDS_32(i), LIMEN_WORDS_32(i + 32)

// multiply_group for D of `words` registers and `columns` columns, whose other operands are numbered from `words` on.
#if LIMEN_WARPGROUPS
#define LIMEN_PRODUCT(words, columns, type, operands, ...)                                                         \
  asm volatile("{ .reg .pred p; setp.ne.b32 p, " operands "; wgmma.mma_async.sync.aligned.m64n" #columns "k16.f32." \
               type "." type " {" LIMEN_NAMES_##words "}, " __VA_ARGS__)
#define LIMEN_FROM_MEMORY(words, columns, type, a, b, p)                                                           \
  LIMEN_PRODUCT(words, columns, type, "%" #p ", 0", "%" #a ", %" #b ", p, 1, 1, 0, 0; }"                             \
                : LIMEN_WORDS_##words(0)                                                                            \
                : "l"(left), "l"(right), "r"(add))
#define LIMEN_FROM_REGISTERS(words, columns, type, a0, a1, a2, a3, b, p)                                           \
  LIMEN_PRODUCT(words, columns, type, "%" #p ", 0",                                                                 \
                "{%" #a0 ", %" #a1 ", %" #a2 ", %" #a3 "}, %" #b ", p, 1, 1, 1; }"                                   \
                : LIMEN_WORDS_##words(0)                                                                            \
                : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "l"(right), "r"(add))
#else
#define LIMEN_FROM_MEMORY(...)
#define LIMEN_FROM_REGISTERS(...)
#endif
#define LIMEN_MULTIPLY_GROUP(product, left_type, words, columns, ...)                                              \
  template <typename T>                                                                                            \
  __device__ __forceinline__ void multiply_group(float (&d)[words], left_type, uint64_t right, int add) {           \
    if constexpr (std::is_same_v<T, __half>) {                                                                     \
      product(words, columns, "f16", __VA_ARGS__);                                                                 \
    } else {                                                                                                       \
      product(words, columns, "bf16", __VA_ARGS__);                                                                \
    }                                                                                                              \
  }

// D (+)= A · Bᵀ over 16 values of k; `add` 0 overwrites D.
LIMEN_MULTIPLY_GROUP(LIMEN_FROM_MEMORY, uint64_t left, 4, 8, 4, 5, 6)
LIMEN_MULTIPLY_GROUP(LIMEN_FROM_MEMORY, uint64_t left, 8, 16, 8, 9, 10)
LIMEN_MULTIPLY_GROUP(LIMEN_FROM_MEMORY, uint64_t left, 16, 32, 16, 17, 18)
LIMEN_MULTIPLY_GROUP(LIMEN_FROM_MEMORY, uint64_t left, 32, 64, 32, 33, 34)
LIMEN_MULTIPLY_GROUP(LIMEN_FROM_MEMORY, uint64_t left, 64, 128, 64, 65, 66)

// B lying with its columns in a row: rows of 64 columns, swizzled as a tensor map writes them; 8 rows are 1024 bytes,
// `along_columns` bytes to the next 64.
__device__ __forceinline__ uint64_t swizzled_columns(uint32_t address, int along_columns) {
  return static_cast<uint64_t>((address & 0x3ffff) >> 4) | static_cast<uint64_t>(along_columns >> 4) << 16 |
         uint64_t{1024 >> 4} << 32 | uint64_t{1} << 62;
}
// D (+)= A · B with A in registers, four words of mma.sync's left fragment, and such a B.
LIMEN_MULTIPLY_GROUP(LIMEN_FROM_REGISTERS, const uint32_t (&left)[4], 32, 64, 32, 33, 34, 35, 36, 37)
LIMEN_MULTIPLY_GROUP(LIMEN_FROM_REGISTERS, const uint32_t (&left)[4], 64, 128, 64, 65, 66, 67, 68, 69)

#undef LIMEN_MULTIPLY_GROUP
#undef LIMEN_FROM_REGISTERS
#undef LIMEN_FROM_MEMORY
#undef LIMEN_PRODUCT
#undef LIMEN_WORDS_64
#undef LIMEN_WORDS_32
#undef LIMEN_WORDS_16
#undef LIMEN_WORDS_8
#undef LIMEN_WORDS_4
#undef LIMEN_NAMES_64
#undef LIMEN_NAMES_32
#undef LIMEN_NAMES_16
#undef LIMEN_NAMES_8
#undef LIMEN_NAMES_4

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
