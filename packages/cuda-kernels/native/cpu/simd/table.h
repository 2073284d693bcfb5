// Puts the kernels of this instruction set in a table. Included once by each kernels_<set>.cc.

#pragma once

#include "cpu/simd/attention.h"
#include "cpu/simd/conv2d.h"
#include "cpu/simd/linear.h"

namespace limen::cpu::LIMEN_SIMD_TARGET {

constexpr Kernels make_table(const char* name) {
  return {name,        kTileRows,     kPanel,      kDotRowLimit,   widen,           narrow,         linear_dot,
          linear_panels, pack_panels, conv2d_tile, attention_pack, attention_block, attention_chunk};
}

}  // namespace limen::cpu::LIMEN_SIMD_TARGET
