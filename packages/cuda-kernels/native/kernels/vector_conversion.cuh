// Kernels that convert vectors between storage formats, through f32 in registers. Arithmetic:
// device/storage_format.cuh; walking and pages: device/page_rows.cuh.
//
// convert_eights: D is a multiple of 8, at most 512, and everything is aligned. A vector belongs to a group of lanes
// (the power of two at or above D / 16). A lane takes eight elements in the first half of the group's width and eight
// in the second, so that every access of a warp is dense and the work for each vector (its place, its range, its scales)
// is shared by sixteen elements: at the rate of the memory an SM has some twenty instructions for each one. Two vectors
// per lane are on their way before the first is used. A group finds the range of its vector with shuffles.
// convert_any: the rest. A warp per vector, elements one by one, formats by switch, two passes.
// Both are bound by memory: each element is read once (twice in convert_any) and written once.

#pragma once

#include "device/page_rows.cuh"
#include "device/storage_format.cuh"

namespace limen {

inline constexpr int kConvertThreads = 256;
inline constexpr int kVectorsPerLane = 2;
inline constexpr int kEightsPerLane = 2;
inline constexpr int64_t kLargestFastHead = 32 * 8 * kEightsPerLane;

struct Conversion {
  PageRows rows;
  RowSide source, source_scales, target, target_scales;
  uint32_t head_size;
  uint32_t lanes;      // of a group: a power of two, at most 32
  uint32_t lane_bits;  // its logarithm
  StorageFormat source_format, target_format;
};

template <StorageFormat kSource, StorageFormat kTarget, Paging kPaging>
__global__ void __launch_bounds__(kConvertThreads) convert_eights_kernel(const __grid_constant__ Conversion c) {
  const RowTile tile = c.rows.tile(blockIdx.x);
  if (kPaging == Paging::kTarget && tile.first_token >= tile.length) return;
  const uint32_t group = threadIdx.x >> c.lane_bits;
  const uint32_t groups = kConvertThreads >> c.lane_bits;
  const uint32_t lane = threadIdx.x & (c.lanes - 1);
  // The last lanes of a group may have nothing in its second half, or at all.
  const auto eight = [&](int half) { return half * c.lanes + lane; };
  const auto holds = [&](int half) { return eight(half) * 8 < c.head_size; };

  RowPlace places[kVectorsPerLane];
  StoredEight<kSource> stored[kVectorsPerLane][kEightsPerLane];
  Scales source_scales[kVectorsPerLane];
#pragma unroll
  for (int i = 0; i < kVectorsPerLane; ++i) places[i] = c.rows.place<kPaging>(tile, group + i * groups);
#pragma unroll
  for (int i = 0; i < kVectorsPerLane; ++i) {
    const RowPlace& place = places[i];
    source_scales[i] = {};
#pragma unroll
    for (int half = 0; half < kEightsPerLane; ++half) stored[i][half] = {};
    if (place.action != RowAction::kMove) continue;
    const char* const row = c.source.row(place.source_outer, place.source_token, place.head);
#pragma unroll
    for (int half = 0; half < kEightsPerLane; ++half) {
      if (holds(half)) stored[i][half] = load_eight<kSource>(row + eight(half) * stored_bytes(kSource, 8));
    }
    if constexpr (has_scales(kSource)) {
      source_scales[i] =
          load_scales<kSource>(c.source_scales.row(place.source_outer, place.source_token, place.head));
    }
  }
#pragma unroll
  for (int i = 0; i < kVectorsPerLane; ++i) {
    const RowPlace& place = places[i];
    float x[kEightsPerLane][8];
#pragma unroll
    for (int half = 0; half < kEightsPerLane; ++half) decode_eight<kSource>(stored[i][half], source_scales[i], x[half]);
    Scales scales = {};
    if constexpr (has_scales(kTarget)) {
      Range<kTarget> range;
#pragma unroll
      for (int half = 0; half < kEightsPerLane; ++half) {
        if (!holds(half)) continue;
#pragma unroll
        for (int element = 0; element < 8; ++element) range.include(x[half][element]);
      }
      range.reduce(static_cast<int>(c.lanes));
      scales = range.scales();
    }
    if (place.action == RowAction::kSkip) continue;
    char* const row = c.target.row(place.target_outer, place.target_token, place.head);
#pragma unroll
    for (int half = 0; half < kEightsPerLane; ++half) {
      if (!holds(half)) continue;
      store_eight<kTarget>(row + eight(half) * stored_bytes(kTarget, 8), encode_eight<kTarget>(x[half], scales));
    }
    if constexpr (has_scales(kTarget)) {
      if (lane == 0) {
        store_scales<kTarget>(c.target_scales.row(place.target_outer, place.target_token, place.head), scales);
      }
    }
  }
}

// Up to eight elements at any address.
template <StorageFormat kFormat>
__device__ __forceinline__ StoredEight<kFormat> load_some(const char* pointer, int bytes) {
  StoredEight<kFormat> stored = {};
#pragma unroll
  for (int byte = 0; byte < kStoredWords<kFormat> * 4; ++byte) {
    if (byte >= bytes) continue;
    stored.words[byte / 4] |= static_cast<uint32_t>(static_cast<uint8_t>(pointer[byte])) << (8 * (byte % 4));
  }
  return stored;
}
template <StorageFormat kFormat>
__device__ __forceinline__ void store_some(char* pointer, const StoredEight<kFormat>& stored, int bytes) {
#pragma unroll
  for (int byte = 0; byte < kStoredWords<kFormat> * 4; ++byte) {
    if (byte < bytes) pointer[byte] = static_cast<char>(stored.words[byte / 4] >> (8 * (byte % 4)));
  }
}

template <StorageFormat kFormat>
using FormatTag = std::integral_constant<StorageFormat, kFormat>;

// Calls body(FormatTag<format>{}): dispatch_format on the host, with_format in kernels.
template <typename Body>
void dispatch_format(StorageFormat format, Body&& body) {
  switch (format) {
    case StorageFormat::kF32: return body(FormatTag<StorageFormat::kF32>{});
    case StorageFormat::kF16: return body(FormatTag<StorageFormat::kF16>{});
    case StorageFormat::kBF16: return body(FormatTag<StorageFormat::kBF16>{});
    case StorageFormat::kFp8: return body(FormatTag<StorageFormat::kFp8>{});
    case StorageFormat::kInt8: return body(FormatTag<StorageFormat::kInt8>{});
    default: return body(FormatTag<StorageFormat::kInt4>{});
  }
}
template <typename Body>
__device__ __forceinline__ void with_format(StorageFormat format, Body&& body) {
  switch (format) {
    case StorageFormat::kF32: return body(FormatTag<StorageFormat::kF32>{});
    case StorageFormat::kF16: return body(FormatTag<StorageFormat::kF16>{});
    case StorageFormat::kBF16: return body(FormatTag<StorageFormat::kBF16>{});
    case StorageFormat::kFp8: return body(FormatTag<StorageFormat::kFp8>{});
    case StorageFormat::kInt8: return body(FormatTag<StorageFormat::kInt8>{});
    default: return body(FormatTag<StorageFormat::kInt4>{});
  }
}

// Elements [first, first + 8) of a stored vector as floats; what lies past its end is 0.
__device__ __forceinline__ void read_some(StorageFormat format, const char* row, const char* scales, int first,
                                          int count, float (&x)[8]) {
  with_format(format, [&](auto tag) {
    constexpr StorageFormat kFormat = decltype(tag)::value;
    const int bytes = static_cast<int>(stored_bytes(kFormat, count));
    const StoredEight<kFormat> stored = load_some<kFormat>(row + stored_bytes(kFormat, first), bytes);
    decode_eight<kFormat>(stored, load_scales<kFormat>(scales), x);
  });
}

template <Paging kPaging>
__global__ void __launch_bounds__(kConvertThreads) convert_any_kernel(const __grid_constant__ Conversion c) {
  const RowTile tile = c.rows.tile(blockIdx.x);
  const int lane = threadIdx.x % 32;
  const int head_size = static_cast<int>(c.head_size);
  for (uint32_t vector = threadIdx.x / 32; vector < c.rows.tile_rows(); vector += kConvertThreads / 32) {
    const RowPlace place = c.rows.place<kPaging>(tile, vector);
    if (place.action == RowAction::kSkip) continue;  // the same for the whole warp
    const bool moves = place.action == RowAction::kMove;
    const char* const source = c.source.row(place.source_outer, place.source_token, place.head);
    const char* const source_scales = c.source_scales.row(place.source_outer, place.source_token, place.head);
    char* const target = c.target.row(place.target_outer, place.target_token, place.head);
    char* const target_scales = c.target_scales.row(place.target_outer, place.target_token, place.head);
    with_format(c.target_format, [&](auto tag) {
      constexpr StorageFormat kTarget = decltype(tag)::value;
      float x[8] = {};
      Scales scales = {};
      if (has_scales(kTarget) && moves) {
        Range<kTarget> range;
        for (int first = 8 * lane; first < head_size; first += 256) {
          const int count = min(8, head_size - first);
          read_some(c.source_format, source, source_scales, first, count, x);
#pragma unroll
          for (int element = 0; element < 8; ++element) {
            if (element < count) range.include(x[element]);
          }
        }
        range.reduce(32);
        scales = range.scales();
      }
      for (int first = 8 * lane; first < head_size; first += 256) {
        const int count = min(8, head_size - first);
        if (moves) read_some(c.source_format, source, source_scales, first, count, x);
        store_some<kTarget>(target + stored_bytes(kTarget, first), encode_eight<kTarget>(x, scales),
                            static_cast<int>(stored_bytes(kTarget, count)));
      }
      if (has_scales(kTarget) && lane == 0) store_scales<kTarget>(target_scales, scales);
    });
  }
}

}  // namespace limen
