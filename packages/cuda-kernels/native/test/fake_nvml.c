/* A stand-in for libnvidia-ml.so.1 with one GPU that reports everything but its power limit. For gpu-status.test.ts. */

#include <stdio.h>
#include <string.h>

static int device;

int nvmlInit_v2(void) { return 0; }

const char* nvmlErrorString(int status) { return status == 6 ? "Not Found" : "Not Supported"; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** handle) {
  *handle = &device;
  return index == 0 ? 0 : 6;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char* bus, void** handle) {
  *handle = &device;
  return strcmp(bus, "0000:01:00.0") == 0 ? 0 : 6;
}

int nvmlDeviceGetName(void* handle, char* text, unsigned length) {
  snprintf(text, length, "%s", handle == &device ? "Stand-in GPU" : "?");
  return 0;
}

int nvmlSystemGetDriverVersion(char* text, unsigned length) {
  snprintf(text, length, "580.1");
  return 0;
}

int nvmlDeviceGetUtilizationRates(void* handle, unsigned rates[2]) {
  rates[0] = 83;
  rates[1] = 41;
  return handle == &device ? 0 : 1;
}

int nvmlDeviceGetMemoryInfo(void* handle, unsigned long long info[3]) {
  info[0] = 150000000000ull;
  info[1] = 100000000000ull;
  info[2] = 50000000000ull;
  return handle == &device ? 0 : 1;
}

int nvmlDeviceGetTemperature(void* handle, int sensor, unsigned* value) {
  *value = 61;
  return handle == &device && sensor == 0 ? 0 : 1;
}

int nvmlDeviceGetPowerUsage(void* handle, unsigned* value) {
  *value = 512345;
  return handle == &device ? 0 : 1;
}

int nvmlDeviceGetEnforcedPowerLimit(void* handle, unsigned* value) {
  *value = 0;
  return handle == &device ? 3 : 1;
}

int nvmlDeviceGetClockInfo(void* handle, int kind, unsigned* value) {
  *value = kind == 1 ? 1755 : 3201;
  return handle == &device ? 0 : 1;
}

int nvmlDeviceGetMaxClockInfo(void* handle, int kind, unsigned* value) {
  *value = kind == 1 ? 1980 : 3201;
  return handle == &device ? 0 : 1;
}
