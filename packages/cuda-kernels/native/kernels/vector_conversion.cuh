// Kernels that convert vectors between storage formats, through f32 in registers. Arithmetic: device/storage_format.cuh
// and its shortcuts in device/packed_range.cuh; walking and pages: device/page_rows.cuh, device/group_tiles.cuh.
//
// convert_eights: whole words, vectors of up to 32 lanes. A vector belongs to a group of lanes (a power of two), each
// with some eights of its elements, in an order in which every store of a warp fills whole sectors: partly written ones
// cost up to half of the bandwidth, partly read ones nothing, as L1 keeps the rest for the next load. The work for each
// vector (its place, its range, its scales) is shared by the elements of a lane: at the rate of the memory an SM has
// some twenty instructions for each one. A group finds the range of its vector with shuffles.
// convert_any: the rest. A warp per vector, elements one by one, formats by switch, two passes.
// Both are bound by memory: each element is read once (twice in convert_any) and written once.

#pragma once

#include "device/group_tiles.cuh"
#include "device/packed_range.cuh"

namespace limen {

inline constexpr int kConvertThreads = 128;

// How vectors are spread over lanes; measured on an H200 for the pairs of 16-bit floats and formats with scales.
template <StorageFormat kSource, StorageFormat kTarget>
struct ConversionShape {
  static constexpr bool kEncodes = is_half(kSource) && has_scales(kTarget);
  // Eights of a lane and vector, how many of them are neighbours in memory, and vectors of a lane.
  static constexpr int kEights = kEncodes ? 4 : 2;
  static constexpr int kRun = kEncodes ? 2 : 1;
  static constexpr int kVectors = has_scales(kSource) && !has_scales(kTarget) ? 1 : 2;
};

struct Conversion {
  PageRows rows;
  GroupTiles tiles;
  RowSide source, source_scales, target, target_scales;
  uint32_t head_size;
  uint32_t lanes;      // of a group: a power of two, at most 32
  uint32_t lane_bits;  // its logarithm
  bool whole_runs;     // vectors end, and stand in the target, on runs of eights
  StorageFormat source_format, target_format;
};

// Neighbouring eights in one access, or in several of sixteen bytes; the pointer stands on their bytes.
template <StorageFormat kFormat, int kRun>
__device__ __forceinline__ void store_run(char* pointer, const StoredEight<kFormat> (&run)[kRun]) {
  constexpr int kWords = kRun * kStoredWords<kFormat>;
  uint32_t words[kWords];
#pragma unroll
  for (int word = 0; word < kWords; ++word) {
    words[word] = run[word / kStoredWords<kFormat>].words[word % kStoredWords<kFormat>];
  }
  if constexpr (kWords == 1) {
    *reinterpret_cast<uint32_t*>(pointer) = words[0];
  } else if constexpr (kWords == 2) {
    *reinterpret_cast<uint2*>(pointer) = make_uint2(words[0], words[1]);
  } else {
#pragma unroll
    for (int part = 0; part < kWords; part += 4) {
      store16_raw(pointer + 4 * part, make_uint4(words[part], words[part + 1], words[part + 2], words[part + 3]));
    }
  }
}

// The scales of a vector whose elements a group of lanes holds. `inside`: no vector of the warp needs clamping (int4).
template <StorageFormat kSource, StorageFormat kTarget, int kEights, typename Holds>
__device__ __forceinline__ Scales find_scales(const StoredEight<kSource> (&stored)[kEights],
                                              const Scales& source_scales, int lanes, const Holds& holds,
                                              bool& inside) {
  Range<kTarget> range;
  inside = false;
  if constexpr (is_half(kSource)) {
    if (find_packed_range<kSource, kTarget>(stored, lanes, holds, range)) {
      const Scales scales = range.scales();
      if constexpr (kTarget == StorageFormat::kInt4) inside = __all_sync(kFullWarp, rounds_inside(range, scales));
      return scales;
    }
    range = {};
  }
#pragma unroll
  for (int j = 0; j < kEights; ++j) {
    float x[8];
    decode_in_place<kSource>(stored[j], source_scales, x);
    if (!holds(j)) continue;
#pragma unroll
    for (int element = 0; element < 8; ++element) range.include(x[element]);
  }
  range.reduce(lanes);
  return range.scales();
}

template <StorageFormat kSource, StorageFormat kTarget, Paging kPaging>
__global__ void __launch_bounds__(kConvertThreads) convert_eights_kernel(const __grid_constant__ Conversion c) {
  using Shape = ConversionShape<kSource, kTarget>;
  constexpr int kVectors = Shape::kVectors, kEights = Shape::kEights, kRun = Shape::kRun;
  const RowTile tile = c.rows.tile(blockIdx.x);
  const uint32_t group = threadIdx.x >> c.lane_bits;
  const uint32_t lane = threadIdx.x & (c.lanes - 1);
  // The last lanes of a group may have nothing in a later run, or at all.
  const auto eight = [&](int j) { return ((j / kRun) * c.lanes + lane) * kRun + j % kRun; };
  const auto holds = [&](int j) { return eight(j) * 8 < c.head_size; };

  RowPlace places[kVectors];
  StoredEight<kSource> stored[kVectors][kEights];
  Scales source_scales[kVectors];
#pragma unroll
  for (int i = 0; i < kVectors; ++i) places[i] = c.tiles.place<kPaging>(c.rows, tile, group, i);
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    const RowPlace& place = places[i];
    source_scales[i] = {};
#pragma unroll
    for (int j = 0; j < kEights; ++j) stored[i][j] = {};
    if (!place.reads) continue;
    const char* const row = c.source.row(place.source_outer, place.source_token, place.head);
#pragma unroll
    for (int j = 0; j < kEights; ++j) {
      if (holds(j)) stored[i][j] = load_eight<kSource>(row + eight(j) * stored_bytes(kSource, 8));
    }
    if constexpr (has_scales(kSource)) {
      source_scales[i] =
          load_whole_scales<kSource>(c.source_scales.row(place.source_outer, place.source_token, place.head));
    }
  }
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    const RowPlace& place = places[i];
    Scales scales = {};
    bool inside = false;
    if constexpr (has_scales(kTarget)) {
      scales = find_scales<kSource, kTarget>(stored[i], source_scales[i], static_cast<int>(c.lanes), holds, inside);
    }
    if (place.action == RowAction::kSkip) continue;
    char* const row = c.target.row(place.target_outer, place.target_token, place.head);
    const auto store_all = [&](const auto& encode) {
#pragma unroll
      for (int j = 0; j < kEights; j += kRun) {
        StoredEight<kTarget> run[kRun];
#pragma unroll
        for (int k = 0; k < kRun; ++k) {
          float x[8];
          decode_in_place<kSource>(stored[i][j + k], source_scales[i], x);
          run[k] = encode(x);
        }
        char* const first = row + eight(j) * stored_bytes(kTarget, 8);
        if (kRun == 1 || c.whole_runs) {
          if (holds(j)) store_run<kTarget, kRun>(first, run);
        } else {
#pragma unroll
          for (int k = 0; k < kRun; ++k) {
            if (holds(j + k)) store_eight<kTarget>(first + k * stored_bytes(kTarget, 8), run[k]);
          }
        }
      }
    };
    if constexpr (kTarget == StorageFormat::kInt4) {
      if (inside) {
        store_all([&](const float (&x)[8]) { return encode_int4_inside(x, scales); });
      } else {
        store_all([&](const float (&x)[8]) { return encode_eight<kTarget>(x, scales); });
      }
    } else {
      store_all([&](const float (&x)[8]) { return encode_eight<kTarget>(x, scales); });
    }
    if constexpr (has_scales(kTarget)) {
      if (lane == 0) {
        store_whole_scales<kTarget>(c.target_scales.row(place.target_outer, place.target_token, place.head), scales);
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
