// Descriptions of weight matrices for the copy engine.

#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <cstdint>

#include "core/cuda_check.h"

namespace limen {

// A contiguous [rows, columns] matrix in boxes of one row and `blocks` times 128 bytes, swizzled (see WeightMaps).
// `columns` must fill whole blocks, and the matrix stand on 16 bytes.
inline CUtensorMap map_weight(const void* weight, int64_t rows, int64_t columns, int element_bytes, int blocks) {
  // From the driver that the runtime has loaded: the addon links no driver library.
  static const auto encode = [] {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult found;
    LIMEN_CUDA_CHECK(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &found));
    return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(function);
  }();
  const cuuint64_t width = 128 / static_cast<cuuint64_t>(element_bytes);
  const cuuint64_t sizes[3] = {width, static_cast<cuuint64_t>(columns) / width, static_cast<cuuint64_t>(rows)};
  const cuuint64_t strides[2] = {128, static_cast<cuuint64_t>(columns * element_bytes)};  // of all axes but the first
  const cuuint32_t box[3] = {static_cast<cuuint32_t>(width), static_cast<cuuint32_t>(blocks), 1};
  const cuuint32_t steps[3] = {1, 1, 1};
  CUtensorMap map;
  const CUresult status =
      encode == nullptr ? CUDA_ERROR_NOT_SUPPORTED
                        : encode(&map, element_bytes == 2 ? CU_TENSOR_MAP_DATA_TYPE_UINT16 : CU_TENSOR_MAP_DATA_TYPE_UINT8,
                                 3, const_cast<void*>(weight), sizes, strides, box, steps,
                                 CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                 CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS) {
    throw OpError("CUDA_TENSOR_MAP", "the driver refuses the layout of a weight: cuTensorMapEncodeTiled returned " +
                                         std::to_string(static_cast<int>(status)));
  }
  return map;
}

}  // namespace limen
