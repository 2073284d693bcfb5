// The vector type of the instruction set this file is compiled for: 16, 8 or 4 floats.
// Arithmetic is the compiler's own (`a + b`); here are loads with conversion, stores, and what needs intrinsics.

#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "cpu/simd/half.h"

#define LIMEN_INLINE inline __attribute__((always_inline))

namespace limen::cpu::LIMEN_SIMD_TARGET {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
constexpr int kTileRows = 12;  // 24 accumulators, 2 panel vectors, 1 broadcast of 32 registers
#elif defined(__AVX2__)
constexpr int kLanes = 8;
constexpr int kTileRows = 6;  // 12 + 2 + 1 of 16 registers
#elif defined(__aarch64__)
constexpr int kLanes = 4;
constexpr int kTileRows = 12;  // 24 + 2 + 1 of 32 registers
#else
constexpr int kLanes = 4;
constexpr int kTileRows = 6;
#endif
constexpr int kTileVectors = 2;
constexpr int kPanel = kTileVectors * kLanes;

typedef float Vec __attribute__((vector_size(4 * kLanes)));
typedef int32_t IntVec __attribute__((vector_size(4 * kLanes)));
typedef uint32_t BitVec __attribute__((vector_size(4 * kLanes)));
typedef uint16_t HalfVec __attribute__((vector_size(2 * kLanes)));
typedef int8_t ByteVec __attribute__((vector_size(kLanes)));

LIMEN_INLINE Vec splat(float value) {
#if defined(__AVX512F__)
  return (Vec)_mm512_set1_ps(value);
#elif defined(__AVX2__)
  return (Vec)_mm256_set1_ps(value);
#else
  return Vec{value, value, value, value};
#endif
}

// a · b + c, rounded once where the machine can.
LIMEN_INLINE Vec fma(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__)
  return (Vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__AVX2__)
  return (Vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
  return (Vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
  return a * b + c;
#endif
}

LIMEN_INLINE Vec maximum_of(Vec a, Vec b) { return a > b ? a : b; }

// ── Loads: `kLanes` elements of any storage type, widened to float. No alignment is needed. ──

LIMEN_INLINE Vec load(const float* from) {
  Vec value;
  memcpy(&value, from, sizeof(value));
  return value;
}

// kLanes 16-bit values, each in 32 bits.
LIMEN_INLINE BitVec load_halves(const void* from) {
#if defined(__AVX512F__)
  return (BitVec)_mm512_cvtepu16_epi32(_mm256_loadu_si256(static_cast<const __m256i*>(from)));
#elif defined(__AVX2__)
  return (BitVec)_mm256_cvtepu16_epi32(_mm_loadu_si128(static_cast<const __m128i*>(from)));
#elif defined(__x86_64__)
  return (BitVec)_mm_unpacklo_epi16(_mm_loadl_epi64(static_cast<const __m128i*>(from)), _mm_setzero_si128());
#else
  HalfVec half;
  memcpy(&half, from, sizeof(half));
  return __builtin_convertvector(half, BitVec);
#endif
}

LIMEN_INLINE Vec load(const BF16* from) { return (Vec)(load_halves(from) << 16); }

LIMEN_INLINE Vec load(const F16* from) {
#if defined(__AVX512F__)
  return (Vec)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
#elif defined(__AVX2__)
  return (Vec)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
#elif defined(__aarch64__)
  float16x4_t half;
  memcpy(&half, from, sizeof(half));
  return (Vec)vcvt_f32_f16(half);
#else
  const BitVec wide = load_halves(from);
  const BitVec rest = (wide & 0x7fffu) << 13;
  const BitVec finite = (BitVec)((Vec)rest * splat(0x1p112f));
  return (Vec)((wide & 0x8000u) << 16 | (rest >= 0x0f800000u ? (rest | 0x70000000u) : finite));
#endif
}

LIMEN_INLINE Vec load(const int8_t* from) {
#if defined(__AVX512F__)
  return (Vec)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#elif defined(__AVX2__)
  return (Vec)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#elif defined(__x86_64__)
  int32_t four;
  memcpy(&four, from, sizeof(four));
  const __m128i bytes = _mm_cvtsi32_si128(four);
  const __m128i words = _mm_unpacklo_epi8(bytes, bytes);
  return (Vec)_mm_cvtepi32_ps(_mm_srai_epi32(_mm_unpacklo_epi16(words, words), 24));  // the top byte, with its sign
#else
  ByteVec bytes;
  memcpy(&bytes, from, sizeof(bytes));
  return __builtin_convertvector(__builtin_convertvector(bytes, IntVec), Vec);
#endif
}

// The first `count` < kLanes elements, zero beyond; reads no further.
template <typename T>
inline Vec load_partial(const T* from, int64_t count) {
  T padded[kLanes] = {};
  for (int64_t lane = 0; lane < count; ++lane) padded[lane] = from[lane];
  return load(padded);
}

template <typename T>
LIMEN_INLINE Vec load_some(const T* from, int64_t count) {
  return count >= kLanes ? load(from) : load_partial(from, count);
}

// ── Stores: rounded to the storage type ──

LIMEN_INLINE void store(float* to, Vec value) { memcpy(to, &value, sizeof(value)); }

LIMEN_INLINE void store(BF16* to, Vec value) {
  const BitVec bits = (BitVec)value;
  const BitVec rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  const BitVec chosen = value != value ? (bits >> 16 | 0x40u) : rounded;
#if defined(__AVX512F__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16((__m512i)chosen));
#elif defined(__AVX2__)
  const __m256i wide = (__m256i)chosen;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm_packus_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1)));
#else
  const HalfVec half = __builtin_convertvector(chosen, HalfVec);
  memcpy(to, &half, sizeof(half));
#endif
}

LIMEN_INLINE void store(F16* to, Vec value) {
#if defined(__AVX512F__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtps_ph((__m512)value, _MM_FROUND_TO_NEAREST_INT));
#elif defined(__AVX2__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_cvtps_ph((__m256)value, _MM_FROUND_TO_NEAREST_INT));
#else
  for (int lane = 0; lane < kLanes; ++lane) from_float(value[lane], to + lane);
#endif
}

template <typename T>
LIMEN_INLINE void store_some(T* to, Vec value, int64_t count) {
  if (count >= kLanes) return store(to, value);
  T padded[kLanes];
  store(padded, value);
  for (int64_t lane = 0; lane < count; ++lane) to[lane] = padded[lane];
}

// ── Sums and maxima over the lanes, always in the same order ──

#if defined(__x86_64__)
LIMEN_INLINE __m128 fold(Vec value) {
#if defined(__AVX512F__)
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256((__m512)value), _mm512_extractf32x8_ps((__m512)value, 1));
  return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
#elif defined(__AVX2__)
  return _mm_add_ps(_mm256_castps256_ps128((__m256)value), _mm256_extractf128_ps((__m256)value, 1));
#else
  return (__m128)value;
#endif
}

// The four sums of four vectors.
LIMEN_INLINE void reduce_add4(Vec a, Vec b, Vec c, Vec d, float* sums) {
  const __m128 fa = fold(a), fb = fold(b), fc = fold(c), fd = fold(d);
  const __m128 ab = _mm_add_ps(_mm_unpacklo_ps(fa, fb), _mm_unpackhi_ps(fa, fb));
  const __m128 cd = _mm_add_ps(_mm_unpacklo_ps(fc, fd), _mm_unpackhi_ps(fc, fd));
  _mm_storeu_ps(sums, _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab)));
}
#else
LIMEN_INLINE void reduce_add4(Vec a, Vec b, Vec c, Vec d, float* sums) {
  const Vec all[4] = {a, b, c, d};
  for (int i = 0; i < 4; ++i) sums[i] = (all[i][0] + all[i][2]) + (all[i][1] + all[i][3]);
}
#endif

LIMEN_INLINE float reduce_add(Vec value) {
  float sums[4];
  reduce_add4(value, Vec{}, Vec{}, Vec{}, sums);
  return sums[0];
}

inline float reduce_maximum(Vec value) {
  float largest = value[0];
  for (int lane = 1; lane < kLanes; ++lane) largest = value[lane] > largest ? value[lane] : largest;
  return largest;
}

// ── Transposition of kLanes vectors in place, in log2(kLanes) exchanges ──

template <int... Index>
LIMEN_INLINE Vec shuffle(Vec a, Vec b) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, Index...);
#else
  return __builtin_shuffle(a, b, IntVec{Index...});
#endif
}

template <int Distance, int... Lane>
LIMEN_INLINE void exchange(Vec& a, Vec& b, std::integer_sequence<int, Lane...>) {
  const Vec low = shuffle<((Lane & Distance) ? kLanes + Lane - Distance : Lane)...>(a, b);
  const Vec high = shuffle<((Lane & Distance) ? kLanes + Lane : Lane + Distance)...>(a, b);
  a = low;
  b = high;
}

template <int Distance>
LIMEN_INLINE void exchange_all(Vec* rows) {
#pragma GCC unroll 16
  for (int row = 0; row < kLanes; ++row) {
    if (!(row & Distance)) {
      exchange<Distance>(rows[row], rows[row + Distance], std::make_integer_sequence<int, kLanes>());
    }
  }
}

LIMEN_INLINE void transpose(Vec* rows) {
  exchange_all<1>(rows);
  exchange_all<2>(rows);
  if constexpr (kLanes > 4) exchange_all<4>(rows);
  if constexpr (kLanes > 8) exchange_all<8>(rows);
}

}  // namespace limen::cpu::LIMEN_SIMD_TARGET
