// Which bytes of a stage a lane of the tensor-core decode kernels reads, and which channels its sums belong to.

#pragma once

#include "kernels/attention_decode_tiles.cuh"

namespace limen {

// Which channels of a head the accumulators of m-tile `m` hold: rows g and g + 8 of the fragment.
template <typename Format, int kHead>
__device__ __forceinline__ int channel_of(int m, int g, int half) {
  if constexpr (Format::kBits == 16) return m * 16 + half * 8 + g;
  if constexpr (Format::kBits == 8) return m * 16 + 2 * g + half;
  constexpr int kElements = DecodeShape<Format, kHead>::kValueElements, kPairs = kElements / 2;
  return (m / kPairs * 8 + g) * kElements + m % kPairs * 2 + half;
}

// Where in a stage a lane reads, worked out once. Offsets go through an empty instruction, or the compiler would work them
// out anew for every tile rather than keep them.
template <typename Format, int kHead>
struct FragmentPlaces {
  using Shape = DecodeShape<Format, kHead>;
  static constexpr int kRowBytes = Shape::kRowBytes;
  static constexpr bool kKept = kRowBytes >= 64;  // rows eight apart lie alike
  int key, value[2];

  __device__ __forceinline__ FragmentPlaces() {
    const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    if constexpr (Format::kBits == 16) {
      // load_matrices: lanes 8i … 8i + 7 give the rows of matrix i. Keys: rows 0 and 8 of the first eight elements, then of
      // the next eight. Values: eight channels of keys 0 … 7, the next eight, then both of keys 8 … 15.
      key = staged_at<Format, kRowBytes>(lane / 8 % 2 * 8 + lane % 8, lane / 16 * 16);
      value[0] = value[1] = staged_at<Format, kRowBytes>(lane / 16 * 8 + lane % 8, lane / 8 % 2 * 16);
    } else {
      key = staged_at<Format, kRowBytes>(g, t * Shape::kKeyBytes);
      if constexpr (Format::kBits == 8) {  // values by load_matrices too: both halves of sixteen keys, then the next chunk
        value[0] = value[1] = staged_at<Format, kRowBytes>(lane % 16, lane / 16 * 16);
      } else {
        value[0] = staged_at<Format, kRowBytes>(2 * t, g * Shape::kValueBytes);
        value[1] = staged_at<Format, kRowBytes>(2 * t + 1, g * Shape::kValueBytes);
      }
    }
    asm volatile("" : "+r"(key), "+r"(value[0]), "+r"(value[1]));
  }

  // Of k-step or m-tile `step`, or of two m-tiles of 8-bit values, whose two chunks are the neighbours `step` · 32 bytes on.
  static __device__ __forceinline__ int matrices(int base, int step) { return (base ^ step % 4 * 32) + step / 4 * 128; }
  __device__ __forceinline__ int key_at(int sub, int half, int chunk) const {
    if constexpr (kKept && Shape::kKeyBytes == 16) {
      return (key ^ chunk % 2 * 64) + chunk / 2 * 128 + (sub * 16 + half * 8) * kRowBytes;
    }
    const int lane = threadIdx.x % 32;
    return staged_at<Format, kRowBytes>(sub * 16 + half * 8 + lane / 4, (chunk * 4 + lane % 4) * Shape::kKeyBytes);
  }
  __device__ __forceinline__ int value_at(int sub, int which, int chunk) const {
    if constexpr (kKept) return value[which % 2] + chunk * 128 + (sub * 16 + which / 2 * 8) * kRowBytes;
    const int lane = threadIdx.x % 32;
    return staged_at<Format, kRowBytes>(sub * 16 + which / 2 * 8 + lane % 4 * 2 + which % 2,
                                        (chunk * 8 + lane / 4) * Shape::kValueBytes);
  }
};

}  // namespace limen
