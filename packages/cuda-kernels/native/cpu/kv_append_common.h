// What the two appends share on the CPU: rotate the queries and keys of new tokens, and find the slot each token goes to.

#pragma once

#include <cmath>
#include <string>

#include "cpu/launch.h"
#include "cpu/stored_vectors.h"

namespace limen::cpu {

constexpr int64_t kMostAppendHeadSize = 256;

struct AppendOperands {
  const TensorView &k, &v, &key_pages, &table, &positions, &q, &rotary_positions;
  int64_t rotary;  // 0 none, 1 half, 2 interleaved
  double base;
  int64_t rotary_dimensions;  // 0: D
};

// Cosines and sines of a token's angles. Every step of an angle is rounded to f32, as rotary.ts explains.
class Rotation {
 public:
  Rotation(const AppendOperands& o, int64_t depth)
      : kind_(o.rotary), dimensions_(o.rotary == 0 ? 0 : o.rotary_dimensions == 0 ? depth : o.rotary_dimensions) {
    for (int64_t pair = 0; pair < dimensions_ / 2; ++pair) {
      const float exponent = static_cast<float>(2.0 * static_cast<double>(pair) / static_cast<double>(dimensions_));
      frequencies_[pair] = 1.0f / static_cast<float>(std::pow(o.base, static_cast<double>(exponent)));
    }
  }
  void turn_to(int32_t position) {
    for (int64_t pair = 0; pair < dimensions_ / 2; ++pair) {
      const double angle = static_cast<float>(position) * frequencies_[pair];
      cosines_[pair] = std::cos(angle), sines_[pair] = std::sin(angle);
    }
  }
  void apply(float* x) const {
    for (int64_t pair = 0; pair < dimensions_ / 2; ++pair) {
      float& a = x[kind_ == 1 ? pair : 2 * pair];
      float& b = x[kind_ == 1 ? pair + dimensions_ / 2 : 2 * pair + 1];
      const double first = a, second = b;
      a = static_cast<float>(first * cosines_[pair] - second * sines_[pair]);
      b = static_cast<float>(second * cosines_[pair] + first * sines_[pair]);
    }
  }

 private:
  int64_t kind_, dimensions_;
  float frequencies_[kMostAppendHeadSize / 2];
  double cosines_[kMostAppendHeadSize / 2], sines_[kMostAppendHeadSize / 2];
};

// store(is_key, x[D], page, slot, head) is called for every key and value that has a slot.
template <typename Store>
void run_append(const OpCall& call, const AppendOperands& o, Store store) {
  require_float(call, "k", o.k);
  require_type(call, "v", o.v, o.k.dtype);
  require_type(call, "q", o.q, o.k.dtype);
  require_type(call, "pageTable", o.table, DType::kI32);
  require_type(call, "positions", o.positions, DType::kI32);
  require_type(call, "rotaryPositions", o.rotary_positions, DType::kI32);
  const int64_t tokens = o.k.shape[1], key_heads = o.k.shape[2], depth = o.k.shape[3];
  const int64_t heads = o.q.present() && o.rotary != 0 ? o.q.shape[2] : 0;
  const int64_t count = o.k.shape[0] * tokens, page_size = o.key_pages.shape[1], columns = o.table.shape[1];
  if (depth > kMostAppendHeadSize) {
    throw OpError("SHAPE_MISMATCH", std::string(call.name) + ": k has too large a head size: expected D ≤ 256, got " +
                                        std::to_string(depth) + ".");
  }
  if (count == 0 || depth == 0) return;
  const int64_t element = static_cast<int64_t>(size_of(o.k.dtype));
  const auto row = [&](const TensorView& x, int64_t token, int64_t head) {
    const int64_t at = token / tokens * x.stride[0] + token % tokens * x.stride[1] + head * x.stride[2];
    return x.as<char>() + at * element;
  };
  const int32_t* const positions = o.positions.as<const int32_t>();
  const int32_t* const angles = o.rotary_positions.present() ? o.rotary_positions.as<const int32_t>() : positions;
  const Rotation prepared(o, depth);
  const Kernels& table = kernels();

  parallel_for(count, grain_of((heads + 2 * key_heads) * depth * 4), [&](int64_t begin, int64_t end) {
    Rotation rotation = prepared;
    float x[kMostAppendHeadSize];
    for (int64_t token = begin; token < end; ++token) {
      rotation.turn_to(angles[token]);
      for (int64_t head = 0; head < heads; ++head) {
        table.widen(row(o.q, token, head), o.k.dtype, x, depth);
        rotation.apply(x);
        table.narrow(x, row(o.q, token, head), o.k.dtype, depth);
      }
      const int64_t position = positions[token];
      if (position < 0 || position / page_size >= columns) continue;
      const int64_t page = o.table.as<const int32_t>()[token / tokens * columns + position / page_size];
      if (page < 0 || page >= o.key_pages.shape[0]) continue;
      for (int64_t head = 0; head < key_heads; ++head) {
        table.widen(row(o.k, token, head), o.k.dtype, x, depth);
        rotation.apply(x);
        store(true, x, page, position % page_size, head);
        table.widen(row(o.v, token, head), o.k.dtype, x, depth);
        store(false, x, page, position % page_size, head);
      }
    }
  });
}

}  // namespace limen::cpu
