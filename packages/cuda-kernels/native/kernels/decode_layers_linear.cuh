// The users' part of a product of decode_layers, in the way that suits rows of x and weights.

#pragma once

#include "kernels/decode_layers_digits.cuh"
#include "kernels/decode_layers_few.cuh"
#include "kernels/decode_layers_wide.cuh"

namespace limen {

template <Phase kPhase, int kTiles, int kHeadSize, typename W, typename T>
__device__ __forceinline__ void multiply(const DecodeLayersArguments<T>& a, LayersShared<kTiles, kHeadSize>& shared, int layer,
                                         Ring& ring) {
  const Product<kPhase, kTiles, kHeadSize, W, T> common = {a, shared, layer};
  if constexpr (kTiles > 1) {
    WideProduct<kPhase, kTiles, kHeadSize, W, T>{common}.run(ring);
  } else if constexpr (sizeof(W) == sizeof(T)) {
    FewRowsProduct<kPhase, kHeadSize, T>{common, ring}.run();
  } else if (a.batch <= kSpreadRows) {
    DigitProduct<true, kPhase, kHeadSize, T>{common, ring}.run();
  } else {
    DigitProduct<false, kPhase, kHeadSize, T>{common, ring}.run();
  }
}

}  // namespace limen
