// Streams: work in order on a device.

#include "napi/arguments.h"
#include "napi/cuda_device.h"
#include "napi/wait_worker.h"

namespace limen {
namespace {

Napi::Value create_stream(const Napi::CallbackInfo& info) {
  use_device(Arguments(info, "createStream").device(0));
  cudaStream_t stream = nullptr;
  LIMEN_CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return number_of_pointer(info.Env(), stream);
}

Napi::Value destroy_stream(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "destroyStream");
  const auto stream = arguments.handle<cudaStream_t>(1, "stream");
  use_device(arguments.device(0));
  LIMEN_CHECK_RELEASE(cudaStreamDestroy(stream));
  return info.Env().Undefined();
}

Napi::Value synchronize_stream(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "synchronizeStream");
  const int device = arguments.device(0);
  const auto stream = arguments.address<cudaStream_t>(1, "stream");
  use_device(device);
  if (is_capturing(stream)) {
    throw OpError("CAPTURE_NOT_ALLOWED",
                  "synchronizeStream: the stream is capturing a graph. End the capture first.");
  }
  auto* worker = new WaitWorker(info.Env(), "synchronizeStream", device, record_wait_event(stream), true);
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

}  // namespace

void bind_streams(Napi::Env, Napi::Object exports) {
  bind<create_stream>(exports, "createStream");
  bind<destroy_stream>(exports, "destroyStream");
  bind<synchronize_stream>(exports, "synchronizeStream");
}

}  // namespace limen
