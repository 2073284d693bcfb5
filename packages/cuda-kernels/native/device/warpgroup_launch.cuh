// The host's side of warpgroup kernels: whether the device and the build have them, and tensor maps.

#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <type_traits>
#include <utility>

#include "device/launch.cuh"
#include "device/warpgroup.cuh"

namespace limen {

using EncodeTensorMap = decltype(&cuTensorMapEncodeTiled);
// Null where the driver does not have it.
inline EncodeTensorMap tensor_map_encoder() {
  static const EncodeTensorMap encoder = [] {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult result = cudaDriverEntryPointSymbolNotFound;
#if CUDART_VERSION >= 12050
    const cudaError_t status =
        cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &result);
#else
    const cudaError_t status = cudaGetDriverEntryPoint("cuTensorMapEncodeTiled", &function, cudaEnableDefault, &result);
#endif
    const bool found = status == cudaSuccess && result == cudaDriverEntryPointSuccess;
    return found ? reinterpret_cast<EncodeTensorMap>(function) : nullptr;
  }();
  return encoder;
}

struct WarpgroupDevice {
  bool usable;
  int multiprocessors;
};
// `kernel` must have static shared memory in its warpgroup code: as other architectures compile it, it has none.
inline const WarpgroupDevice& warpgroup_device(const void* kernel) {
  thread_local std::map<std::pair<int, const void*>, WarpgroupDevice> known;
  int device = 0;
  LIMEN_CUDA_CHECK(cudaGetDevice(&device));
  const auto found = known.find({device, kernel});
  if (found != known.end()) return found->second;
  WarpgroupDevice entry = {};
  int major = 0, minor = 0;
  LIMEN_CUDA_CHECK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
  LIMEN_CUDA_CHECK(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device));
  LIMEN_CUDA_CHECK(cudaDeviceGetAttribute(&entry.multiprocessors, cudaDevAttrMultiProcessorCount, device));
  if (major == 9 && minor == 0 && tensor_map_encoder() != nullptr) {
    cudaFuncAttributes attributes = {};
    LIMEN_CUDA_CHECK(cudaFuncGetAttributes(&attributes, kernel));
    entry.usable = attributes.sharedSizeBytes > 0;
  }
  return known.emplace(std::make_pair(device, kernel), entry).first->second;
}

// A map of a tensor of 16-bit values whose boxes are 64 values wide and swizzled. Sizes and boxes go from the innermost
// axis outwards; `pitches`, in elements, leave out the innermost, which is dense.
template <typename T>
CUtensorMap tensor_map(const char* op, const T* base, std::initializer_list<int64_t> sizes,
                       std::initializer_list<int64_t> pitches, std::initializer_list<int> box) {
  static_assert(sizeof(T) == 2, "warpgroups multiply 16-bit types");
  cuuint64_t size[5], pitch[5];
  cuuint32_t extent[5];
  const cuuint32_t steps[5] = {1, 1, 1, 1, 1};
  int rank = 0, axis = 0;
  for (const int64_t value : sizes) size[rank++] = static_cast<cuuint64_t>(value);
  for (const int64_t value : pitches) pitch[axis++] = static_cast<cuuint64_t>(value) * sizeof(T);
  axis = 0;
  for (const int value : box) extent[axis++] = static_cast<cuuint32_t>(value);
  CUtensorMap map;
  const CUresult result = tensor_map_encoder()(
      &map, std::is_same_v<T, __half> ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
      static_cast<cuuint32_t>(rank), const_cast<T*>(base), size, pitch, extent, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
      CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) {
    throw OpError("CUDA_ERROR", std::string(op) + ": cuTensorMapEncodeTiled failed with status " +
                                    std::to_string(static_cast<int>(result)) + ".");
  }
  return map;
}

}  // namespace limen
