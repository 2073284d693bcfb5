// Events: marks in a stream that others wait for or measure between.

#include "napi/arguments.h"
#include "napi/cuda_device.h"
#include "napi/wait_worker.h"

namespace limen {
namespace {

Napi::Value create_event(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "createEvent");
  const bool timing = arguments.flag(1, "timing");
  use_device(arguments.device(0));
  cudaEvent_t event = nullptr;
  const unsigned flags =
      cudaEventBlockingSync | (timing ? 0u : static_cast<unsigned>(cudaEventDisableTiming));
  LIMEN_CUDA_CHECK(cudaEventCreateWithFlags(&event, flags));
  return number_of_pointer(info.Env(), event);
}

Napi::Value destroy_event(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "destroyEvent");
  const auto event = arguments.handle<cudaEvent_t>(1, "event");
  use_device(arguments.device(0));
  LIMEN_CHECK_RELEASE(cudaEventDestroy(event));
  return info.Env().Undefined();
}

Napi::Value record_event(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "recordEvent");
  const auto event = arguments.handle<cudaEvent_t>(1, "event");
  use_device(arguments.device(0));
  LIMEN_CUDA_CHECK(cudaEventRecord(event, arguments.address<cudaStream_t>(2, "stream")));
  return info.Env().Undefined();
}

Napi::Value wait_event(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "waitEvent");
  const auto event = arguments.handle<cudaEvent_t>(2, "event");
  use_device(arguments.device(0));
  LIMEN_CUDA_CHECK(cudaStreamWaitEvent(arguments.address<cudaStream_t>(1, "stream"), event, 0));
  return info.Env().Undefined();
}

Napi::Value event_reached(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "eventReached");
  const auto event = arguments.handle<cudaEvent_t>(1, "event");
  use_device(arguments.device(0));
  const cudaError_t status = cudaEventQuery(event);
  if (status == cudaErrorNotReady) {
    cudaGetLastError();  // "not yet" is an answer: a later check must not report it
    return Napi::Boolean::New(info.Env(), false);
  }
  LIMEN_CUDA_CHECK(status);
  return Napi::Boolean::New(info.Env(), true);
}

Napi::Value synchronize_event(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "synchronizeEvent");
  const int device = arguments.device(0);
  auto* worker = new WaitWorker(info.Env(), "synchronizeEvent", device,
                                arguments.handle<cudaEvent_t>(1, "event"), false);
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

Napi::Value elapsed_milliseconds(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "elapsedMilliseconds");
  const auto start = arguments.handle<cudaEvent_t>(1, "start");
  const auto end = arguments.handle<cudaEvent_t>(2, "end");
  use_device(arguments.device(0));
  float milliseconds = 0;
  LIMEN_CUDA_CHECK(cudaEventElapsedTime(&milliseconds, start, end));
  return Napi::Number::New(info.Env(), milliseconds);
}

}  // namespace

void bind_events(Napi::Env, Napi::Object exports) {
  bind<create_event>(exports, "createEvent");
  bind<destroy_event>(exports, "destroyEvent");
  bind<record_event>(exports, "recordEvent");
  bind<wait_event>(exports, "waitEvent");
  bind<event_reached>(exports, "eventReached");
  bind<synchronize_event>(exports, "synchronizeEvent");
  bind<elapsed_milliseconds>(exports, "elapsedMilliseconds");
}

}  // namespace limen
