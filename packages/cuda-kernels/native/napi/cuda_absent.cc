// The addon without CUDA has the same members: cudaStatus reports, the others throw CUDA_NOT_COMPILED.

#include "napi/binding.h"

namespace limen {
namespace {

Napi::Value cuda_status_absent(const Napi::CallbackInfo& info) {
  Napi::Object status = Napi::Object::New(info.Env());
  status.Set("compiled", false);
  status.Set("driverVersion", 0);
  status.Set("runtimeVersion", 0);
  status.Set("deviceCount", 0);
  status.Set("errorCode", 0);
  status.Set("errorName", "cudaNotCompiled");
  status.Set("errorMessage", "the native addon was built without CUDA");
  return status;
}

Napi::Value refuse(const Napi::CallbackInfo&) {
  throw OpError(
      "CUDA_NOT_COMPILED",
      "the native addon was built without CUDA. Build it with: node scripts/build-native.mjs --cuda on");
}

}  // namespace

void bind_cuda_absent(Napi::Env, Napi::Object exports) {
  bind<cuda_status_absent>(exports, "cudaStatus");
  for (const char* name : {"deviceProperties",
                           "memoryInfo",
                           "allocate",
                           "free",
                           "allocatePinned",
                           "freePinned",
                           "fill",
                           "copyToDevice",
                           "copyOnDevice",
                           "copyToHost",
                           "copyToPinned",
                           "createStream",
                           "destroyStream",
                           "synchronizeStream",
                           "createEvent",
                           "destroyEvent",
                           "recordEvent",
                           "waitEvent",
                           "eventReached",
                           "synchronizeEvent",
                           "elapsedMilliseconds",
                           "beginCapture",
                           "endCapture",
                           "abortCapture",
                           "isCapturing",
                           "graphNodeCount",
                           "instantiateGraph",
                           "launchGraph",
                           "destroyGraph",
                           "destroyGraphExecutable"}) {
    bind<refuse>(exports, name);
  }
}

}  // namespace limen
