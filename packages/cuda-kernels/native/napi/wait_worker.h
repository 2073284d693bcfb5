// Waits for an event on a thread of libuv and settles a promise: the event loop never waits for the GPU.

#pragma once

#include "core/cuda_check.h"
#include "napi/binding.h"
#include "napi/cuda_device.h"

namespace limen {

class WaitWorker : public Napi::AsyncWorker {
 public:
  // `function` names the call in errors. With `owns_event` the event is destroyed after the wait.
  WaitWorker(Napi::Env env, const char* function, int device, cudaEvent_t event, bool owns_event)
      : Napi::AsyncWorker(env),
        deferred_(Napi::Promise::Deferred::New(env)),
        function_(function),
        device_(device),
        event_(event),
        owns_event_(owns_event) {}

  ~WaitWorker() override {
    if (owns_event_) cudaEventDestroy(event_);
  }

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  // Runs after the wait, still off the event loop.
  virtual void finish() {}

 private:
  void Execute() override {
    try {
      use_device(device_);
      LIMEN_CUDA_CHECK(cudaEventSynchronize(event_));
      finish();
    } catch (const OpError& error) {
      code_ = error.code();
      SetError(error.what());
    }
  }

  void OnOK() override { deferred_.Resolve(Env().Undefined()); }
  void OnError(const Napi::Error& error) override {
    deferred_.Reject(make_error(Env(), code_, named(function_, error.Message())).Value());
  }

  Napi::Promise::Deferred deferred_;
  const char* const function_;
  const int device_;
  const cudaEvent_t event_;
  const bool owns_event_;
  std::string code_ = "NATIVE_FAILURE";
};

// An event recorded now, so that a wait in another thread does not cover work enqueued later. The waiting
// thread sleeps.
inline cudaEvent_t record_wait_event(cudaStream_t stream) {
  cudaEvent_t event = nullptr;
  LIMEN_CUDA_CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventBlockingSync));
  const cudaError_t status = cudaEventRecord(event, stream);
  if (status != cudaSuccess) cudaEventDestroy(event);
  check_cuda(status, "cudaEventRecord()", __FILE__, __LINE__);
  return event;
}

}  // namespace limen
