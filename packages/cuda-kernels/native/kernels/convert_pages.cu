// convertPages: the vectors of one pool in the storage format of another, page by page.
//
//   source        [G, P, K, E]   f32, f16, bf16, f8e4m3 (fp8), i8 (int8) or u8 (int4); E dense, others at any stride
//   sourceScales  [G, P, K, S]   with fp8 and int8: f32, S = 1; with int4: f16, S = 2
//   pages         [G, P, K, E']  likewise, of another or the same format; written
//   scales        [G, P, K, S']  likewise; written
//
// Value for value: decoded to f32, encoded anew; the same format is copied bit by bit.
// Geometry: kernels/vector_conversion.cuh. The launcher that encodeToPages and decodeFromPages use is defined here too.

#include "core/cuda_check.h"
#include "core/op_registry.h"
#include "device/row_moves.cuh"
#include "kernels/vector_conversion.cuh"
#include "kernels/vector_conversion.h"

namespace limen {
namespace {

StorageFormat format_of(const char* op, DType dtype) {
  switch (dtype) {
    case DType::kF32: return StorageFormat::kF32;
    case DType::kF16: return StorageFormat::kF16;
    case DType::kBF16: return StorageFormat::kBF16;
    case DType::kF8E4M3: return StorageFormat::kFp8;
    case DType::kI8: return StorageFormat::kInt8;
    case DType::kU8: return StorageFormat::kInt4;
    default:
      throw OpError("UNSUPPORTED_DTYPE", std::string(op) + ": pages have an unsupported dtype: expected f32, f16, " +
                                             "bf16, f8e4m3, i8 or u8, got " + name_of(dtype) +
                                             ". Convert with cast().");
  }
}

int64_t head_size_of(StorageFormat format, const TensorView& elements) {
  return format == StorageFormat::kInt4 ? 2 * elements.shape[3] : elements.shape[3];
}

// Whether accesses of `elements` neighbouring elements can be made in whole words.
bool is_whole(const RowSide& side, StorageFormat format, int64_t elements) {
  return is_multiple(side, static_cast<uint64_t>(std::min<int64_t>(16, stored_bytes(format, elements))));
}

void require(bool condition, const char* op, const char* problem) {
  if (!condition) throw OpError("SHAPE_MISMATCH", std::string(op) + ": " + problem);
}

RowSide scale_side(const char* op, const StoredSide& side, StorageFormat format) {
  if (!has_scales(format)) return {};
  const bool pair = format == StorageFormat::kInt4;
  require(side.scales.present() && side.scales.dtype == (pair ? DType::kF16 : DType::kF32) &&
              side.scales.shape[3] == (pair ? 2 : 1),
          op,
          "scales do not fit: expected f32 [.., 1] for fp8 and int8, f16 [.., 2] for int4. Use those of the pages.");
  return row_side(side.scales);
}

template <Paging kPaging>
void launch_any(Conversion& c, cudaStream_t stream, const char* op) {
  c.rows.choose_tiles(kConvertThreads / 32, c.target);
  const unsigned grid = row_count(op, "the number of tiles", c.rows.tiles());
  convert_any_kernel<kPaging><<<grid, kConvertThreads, 0, stream>>>(c);
  LIMEN_CHECK_LAUNCH(convert_any_kernel);
}

template <StorageFormat kSource, StorageFormat kTarget, Paging kPaging>
void launch_eights(Conversion& c, cudaStream_t stream, const char* op) {
  using Shape = ConversionShape<kSource, kTarget>;
  constexpr int64_t kRunElements = 8 * Shape::kRun, kLaneElements = 8 * Shape::kEights;
  if (c.head_size % 8 != 0 || c.head_size > 32 * kLaneElements || !is_whole(c.source, kSource, 8) ||
      !is_whole(c.target, kTarget, 8) || !is_multiple(c.source_scales, 4) || !is_multiple(c.target_scales, 4)) {
    return launch_any<kPaging>(c, stream, op);
  }
  c.whole_runs = c.head_size % kRunElements == 0 && is_whole(c.target, kTarget, kRunElements);
  RowSide* const sides[] = {&c.source, &c.target, &c.source_scales, &c.target_scales};
  join_axes(c.rows, sides, kPaging);
  while ((kLaneElements << c.lane_bits) < c.head_size) ++c.lane_bits;
  c.lanes = 1u << c.lane_bits;
  uint32_t groups = kConvertThreads >> c.lane_bits;
  const uint32_t groups_of_warp = 32u >> c.lane_bits;
  c.tiles = choose_group_tiles(c.rows, groups, groups_of_warp, Shape::kVectors, c.target);
  const unsigned grid = row_count(op, "the number of tiles", c.rows.tiles());
  convert_eights_kernel<kSource, kTarget, kPaging><<<grid, groups << c.lane_bits, 0, stream>>>(c);
  LIMEN_CHECK_LAUNCH(convert_eights_kernel);
}

template <Paging kPaging>
void launch_conversion(Conversion& c, cudaStream_t stream, const char* op) {
  dispatch_format(c.source_format, [&](auto source) {
    dispatch_format(c.target_format, [&](auto target) {
      constexpr StorageFormat kSource = decltype(source)::value, kTarget = decltype(target)::value;
      // Into pages come floats, out of pages floats too; from pool to pool anything but what is a plain copy.
      constexpr bool kUsed = (kPaging != Paging::kTarget || !has_scales(kSource)) &&
                             (kPaging != Paging::kSource || !has_scales(kTarget)) && kSource != kTarget;
      if constexpr (kUsed) launch_eights<kSource, kTarget, kPaging>(c, stream, op);
    });
  });
}

}  // namespace

void launch_vector_conversion(const char* op, Paging paging, PageRows rows, const StoredSide& source,
                              const StoredSide& target, cudaStream_t stream) {
  if (rows.batches == 0 || rows.tokens == 0 || rows.heads == 0 || target.elements.size() == 0) return;
  Conversion c = {};
  c.rows = rows;
  c.source_format = format_of(op, source.elements.dtype);
  c.target_format = format_of(op, target.elements.dtype);
  const int64_t head_size = head_size_of(c.source_format, source.elements);
  require(head_size == head_size_of(c.target_format, target.elements), op,
          "head sizes differ: expected the same number of elements on both sides, int4 keeping two in a byte.");
  c.head_size = row_count(op, "a vector", head_size);
  c.source = row_side(source.elements);
  c.target = row_side(target.elements);
  c.source_scales = scale_side(op, source, c.source_format);
  c.target_scales = scale_side(op, target, c.target_format);
  if (c.source_format == c.target_format) {
    const auto move = [&](const RowSide& from, const RowSide& to, const TensorView& view) {
      const int64_t bytes = view.shape[3] * static_cast<int64_t>(size_of(view.dtype));
      if (paging == Paging::kNone) return launch_row_moves<Paging::kNone>(op, rows, from, to, bytes, stream);
      if (paging == Paging::kTarget) return launch_row_moves<Paging::kTarget>(op, rows, from, to, bytes, stream);
      return launch_row_moves<Paging::kSource>(op, rows, from, to, bytes, stream);
    };
    move(c.source, c.target, target.elements);
    if (has_scales(c.target_format)) move(c.source_scales, c.target_scales, target.scales);
    return;
  }
  if (paging == Paging::kNone) return launch_conversion<Paging::kNone>(c, stream, op);
  if (paging == Paging::kTarget) return launch_conversion<Paging::kTarget>(c, stream, op);
  launch_conversion<Paging::kSource>(c, stream, op);
}

namespace {

void launch_convert_pages(const OpCall& call) {
  const StoredSide source = {call.tensor(0), call.tensor(1)};
  const StoredSide target = {call.tensor(2), call.tensor(3)};
  launch_vector_conversion("convertPages", Paging::kNone, rows_of("convertPages", target.elements), source, target,
                           static_cast<cudaStream_t>(call.stream));
}

}  // namespace

REGISTER_CUDA_OP(convert_pages, launch_convert_pages);

}  // namespace limen
