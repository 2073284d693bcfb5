// What the driver's management library (NVML) says about a GPU right now. The library is opened at run time; where it is
// missing, or a GPU does not report something, that is a fact in the answer and no error.

#include "core/shared_library.h"
#include "napi/arguments.h"

namespace limen {
namespace {

// The part of nvml.h that is used here. NVML keeps these signatures stable across versions.
using NvmlDevice = void*;
constexpr int kNvmlSuccess = 0;
constexpr int kSensorGpu = 0;
constexpr int kClockMultiprocessor = 1;
constexpr int kClockMemory = 2;

struct NvmlUtilization {
  unsigned gpu;
  unsigned memory;
};

struct NvmlMemory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

template <typename... Parameters>
int call(const char* name, Parameters... parameters) {
  const auto function = nvml_library().symbol<int (*)(Parameters...)>(name);
  constexpr int kFunctionNotFound = 13;
  return function == nullptr ? kFunctionNotFound : function(parameters...);
}

std::string describe(const char* function, int status) {
  const auto text = nvml_library().symbol<const char* (*)(int)>("nvmlErrorString");
  return std::string(function) + ": " + (text == nullptr ? "status " + std::to_string(status) : text(status));
}

Napi::Object unavailable(Napi::Env env, const std::string& error) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("available", false);
  result.Set("error", error);
  return result;
}

void set_number(Napi::Object result, const char* field, const char* function, NvmlDevice device) {
  unsigned value = 0;
  if (call(function, device, &value) == kNvmlSuccess) result.Set(field, static_cast<double>(value));
}

void set_number(Napi::Object result, const char* field, const char* function, NvmlDevice device, int kind) {
  unsigned value = 0;
  if (call(function, device, kind, &value) == kNvmlSuccess) result.Set(field, static_cast<double>(value));
}

int find_device(const std::string& pci_bus_id, unsigned index, NvmlDevice* device) {
  if (pci_bus_id.empty()) return call("nvmlDeviceGetHandleByIndex_v2", index, device);
  return call("nvmlDeviceGetHandleByPciBusId_v2", pci_bus_id.c_str(), device);
}

// gpuStatus(pciBusId, index): by bus id, or by NVML's own index where the bus id is empty.
Napi::Value gpu_status(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Arguments arguments(info, "gpuStatus");
  const std::string pci_bus_id = arguments.text(0, "pciBusId");
  const auto index = static_cast<unsigned>(arguments.device(1));
  if (!nvml_library().loaded()) return unavailable(env, nvml_library().error());
  // NVML counts initialisations; one for the life of the process is enough.
  static const int initialized = call("nvmlInit_v2");
  if (initialized != kNvmlSuccess) return unavailable(env, describe("nvmlInit", initialized));
  NvmlDevice device = nullptr;
  const int found = find_device(pci_bus_id, index, &device);
  if (found != kNvmlSuccess) return unavailable(env, describe("nvmlDeviceGetHandle", found));

  Napi::Object result = Napi::Object::New(env);
  result.Set("available", true);
  char text[96] = "";
  constexpr unsigned kTextBytes = sizeof(text);
  if (call("nvmlDeviceGetName", device, &text[0], kTextBytes) == kNvmlSuccess) result.Set("name", text);
  if (call("nvmlSystemGetDriverVersion", &text[0], kTextBytes) == kNvmlSuccess) result.Set("driverVersion", text);
  NvmlUtilization utilization{};
  if (call("nvmlDeviceGetUtilizationRates", device, &utilization) == kNvmlSuccess) {
    result.Set("utilizationPercent", static_cast<double>(utilization.gpu));
    result.Set("memoryUtilizationPercent", static_cast<double>(utilization.memory));
  }
  NvmlMemory memory{};
  if (call("nvmlDeviceGetMemoryInfo", device, &memory) == kNvmlSuccess) {
    result.Set("memoryUsedBytes", static_cast<double>(memory.used));
    result.Set("memoryTotalBytes", static_cast<double>(memory.total));
  }
  set_number(result, "temperatureCelsius", "nvmlDeviceGetTemperature", device, kSensorGpu);
  set_number(result, "powerMilliwatts", "nvmlDeviceGetPowerUsage", device);
  set_number(result, "powerLimitMilliwatts", "nvmlDeviceGetEnforcedPowerLimit", device);
  set_number(result, "multiprocessorClockMegahertz", "nvmlDeviceGetClockInfo", device, kClockMultiprocessor);
  set_number(result, "memoryClockMegahertz", "nvmlDeviceGetClockInfo", device, kClockMemory);
  set_number(result, "largestMultiprocessorClockMegahertz", "nvmlDeviceGetMaxClockInfo", device, kClockMultiprocessor);
  return result;
}

}  // namespace

void bind_gpu_status(Napi::Env, Napi::Object exports) { bind<gpu_status>(exports, "gpuStatus"); }

}  // namespace limen
