// Exponential, SiLU and exact GELU on vectors. Polynomials were fitted for this file (least relative error, weighted
// towards the minimax solution); the errors given are the largest seen against double precision.

#pragma once

#include "cpu/simd/kernels.h"
#include "cpu/simd/vector.h"

namespace limen::cpu::LIMEN_SIMD_TARGET {

// e^x to 1.5 ulp for x ≥ -87; below, it falls to zero within [-87.4, -87]. Overflows to infinity, keeps NaN.
LIMEN_INLINE Vec exponential(Vec x) {
  constexpr float kRound = 0x1.8p23f;  // adding it rounds to an integer, held in the low bits
  Vec bounded = x < -89.0f ? splat(-89.0f) : x;
  bounded = bounded > 89.0f ? splat(89.0f) : bounded;
  const Vec shifted = fma(bounded, splat(0x1.715476p0f), splat(kRound));
  const Vec n = shifted - kRound;
  Vec r = fma(n, splat(-0x1.62e4p-1f), bounded);  // ln 2 in two parts; the first has few bits, so n · part is exact
  r = fma(n, splat(-0x1.7f7d1cp-20f), r);
  Vec p = splat(1.3814462581649423e-3f);
  p = fma(p, r, splat(8.368780836462975e-3f));
  p = fma(p, r, splat(4.166839271783829e-2f));
  p = fma(p, r, splat(0.1666651964187622f));
  p = fma(p, r, splat(0.4999999403953552f));
  p = fma(p * r, r, r) + 1.0f;
  // 2^n in two factors, so that n = 128 does not overflow early
  const BitVec exponent = (BitVec)shifted - (BitVec)splat(kRound);
  const BitVec half = (BitVec)((IntVec)exponent >> 1);
  Vec y = p * (Vec)((half + 127u) << 23) * (Vec)((exponent - half + 127u) << 23);
  y = x < -87.336544f ? Vec{} : y;
  y = x > 88.722839f ? splat(__builtin_inff()) : y;
  return x != x ? x : y;
}

LIMEN_INLINE Vec silu(Vec x) { return x / (exponential(-x) + 1.0f); }

// x · Φ(x). The tail is Φ(-a) = e^(-a²/2) · h(a), with h a polynomial in u = 1 / (1 + 0.4 a): no cancellation, so the
// relative error stays near 2e-7 plus that of the exponential.
LIMEN_INLINE Vec gelu(Vec x) {
  const Vec a = x < 0.0f ? -x : x;
  const Vec u = 1.0f / fma(a, splat(0.4f), splat(1.0f));
  Vec h = splat(0.03210075572133064f);
  h = fma(h, u, splat(-0.17619116604328156f));
  h = fma(h, u, splat(0.3808223009109497f));
  h = fma(h, u, splat(-0.37202081084251404f));
  h = fma(h, u, splat(0.1177845299243927f));
  h = fma(h, u, splat(-0.025910569354891777f));
  h = fma(h, u, splat(0.09101025015115738f));
  h = fma(h, u, splat(0.13320909440517426f));
  h = fma(h, u, splat(0.1596193164587021f));
  h = fma(h, u, splat(0.15957629680633545f));
  const Vec tail = exponential(a * a * -0.5f) * h * u;
  const Vec product = x * tail;
  // Past the range of the exponential the tail is zero, also where x is infinite (∞ · 0).
  const Vec low = tail == 0.0f ? Vec{} : product;
  return x < 0.0f ? low : x - low;
}

LIMEN_INLINE Vec activate(Vec x, int activation) {
  if (activation == kGelu) return gelu(x);
  if (activation == kSilu) return silu(x);
  return x;
}

}  // namespace limen::cpu::LIMEN_SIMD_TARGET
