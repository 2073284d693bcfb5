// What devices there are and what they can do.

#include <cstdio>

#include "napi/arguments.h"
#include "napi/cuda_device.h"

namespace limen {
namespace {

Napi::Value cuda_status(const Napi::CallbackInfo& info) {
  int driver = 0;
  int runtime = 0;
  int devices = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  const cudaError_t status = cudaGetDeviceCount(&devices);
  cudaGetLastError();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("compiled", true);
  result.Set("driverVersion", driver);
  result.Set("runtimeVersion", runtime);
  result.Set("deviceCount", status == cudaSuccess ? devices : 0);
  result.Set("errorCode", static_cast<int>(status));
  result.Set("errorName", cudaGetErrorName(status));
  result.Set("errorMessage", cudaGetErrorString(status));
  return result;
}

int device_attribute(cudaDeviceAttr attribute, int device) {
  int value = 0;
  LIMEN_CUDA_CHECK(cudaDeviceGetAttribute(&value, attribute, device));
  return value;
}

std::string text_of_uuid(const cudaUUID_t& uuid) {
  std::string text = "GPU-";
  for (int i = 0; i < 16; ++i) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", static_cast<unsigned char>(uuid.bytes[i]));
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += digits;
  }
  return text;
}

Napi::Value device_properties(const Napi::CallbackInfo& info) {
  const int device = Arguments(info, "deviceProperties").device(0);
  cudaDeviceProp properties;
  LIMEN_CUDA_CHECK(cudaGetDeviceProperties(&properties, device));
  char bus_id[32] = "";
  LIMEN_CUDA_CHECK(cudaDeviceGetPCIBusId(bus_id, sizeof(bus_id), device));
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("name", properties.name);
  result.Set("computeCapabilityMajor", properties.major);
  result.Set("computeCapabilityMinor", properties.minor);
  result.Set("multiprocessorCount", properties.multiProcessorCount);
  result.Set("totalMemoryBytes", static_cast<double>(properties.totalGlobalMem));
  result.Set("l2CacheBytes", properties.l2CacheSize);
  result.Set("sharedMemoryPerBlockBytes", static_cast<double>(properties.sharedMemPerBlockOptin));
  result.Set("clockRateKilohertz", device_attribute(cudaDevAttrClockRate, device));
  result.Set("memoryClockRateKilohertz", device_attribute(cudaDevAttrMemoryClockRate, device));
  result.Set("memoryBusWidthBits", properties.memoryBusWidth);
  result.Set("uuid", text_of_uuid(properties.uuid));
  result.Set("pciBusId", bus_id);
  return result;
}

Napi::Value memory_info(const Napi::CallbackInfo& info) {
  use_device(Arguments(info, "memoryInfo").device(0));
  size_t free_bytes = 0;
  size_t total_bytes = 0;
  LIMEN_CUDA_CHECK(cudaMemGetInfo(&free_bytes, &total_bytes));
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("freeBytes", static_cast<double>(free_bytes));
  result.Set("totalBytes", static_cast<double>(total_bytes));
  return result;
}

}  // namespace

void bind_devices(Napi::Env, Napi::Object exports) {
  bind<cuda_status>(exports, "cudaStatus");
  bind<device_properties>(exports, "deviceProperties");
  bind<memory_info>(exports, "memoryInfo");
}

}  // namespace limen
