// Device memory, page-locked host memory, and copies between them.

#include <cstring>
#include <map>
#include <mutex>

#include "napi/arguments.h"
#include "napi/cuda_device.h"
#include "napi/staging.h"
#include "napi/wait_worker.h"

namespace limen {
namespace {

Napi::Value allocate(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "allocate");
  const size_t bytes = arguments.bytes(1);
  use_device(arguments.device(0));
  void* memory = nullptr;
  const RelaxedCapture relaxed;
  const cudaError_t status = bytes > 0 ? cudaMalloc(&memory, bytes) : cudaSuccess;
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    size_t free_bytes = 0;
    size_t total_bytes = 0;
    cudaMemGetInfo(&free_bytes, &total_bytes);
    throw OpError(
        "CUDA_cudaErrorMemoryAllocation",
        "allocate: the device has no room for " + std::to_string(bytes) +
            " bytes: " + std::to_string(free_bytes) + " of " + std::to_string(total_bytes) +
            " are free. Dispose what is no longer needed, or choose a smaller batch, context or dtype.");
  }
  check_cuda(status, "cudaMalloc()", __FILE__, __LINE__);
  return number_of_pointer(info.Env(), memory);
}

Napi::Value free_memory(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "free");
  void* const memory = arguments.address(1, "address");
  use_device(arguments.device(0));
  const RelaxedCapture relaxed;
  LIMEN_CHECK_RELEASE(cudaFree(memory));
  return info.Env().Undefined();
}

// Page-locked memory behind an ArrayBuffer. `memory` is null once it has been freed by hand.
struct PinnedMemory {
  void* memory = nullptr;
  size_t bytes = 0;

  void free() {
    if (memory != nullptr) cudaFreeHost(memory);
    memory = nullptr;
  }
};

// All page-locked buffers of the process. Not kept per environment: a finalizer may run after the
// environment's data is gone. Never destroyed, since the CUDA runtime may be gone before it.
class PinnedTable {
 public:
  static PinnedTable& instance() {
    static auto* table = new PinnedTable();
    return *table;
  }

  void add(PinnedMemory* pinned) {
    std::lock_guard<std::mutex> lock(mutex_);
    by_address_.emplace(static_cast<uint8_t*>(pinned->memory), pinned);
  }

  // Null when no buffer begins there.
  PinnedMemory* remove(void* address) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = by_address_.find(static_cast<uint8_t*>(address));
    if (found == by_address_.end()) return nullptr;
    PinnedMemory* const pinned = found->second;
    by_address_.erase(found);
    return pinned;
  }

  bool contains(const uint8_t* first, size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto after = by_address_.upper_bound(const_cast<uint8_t*>(first));
    if (after == by_address_.begin()) return false;
    const auto& [start, pinned] = *--after;
    return first + bytes <= start + pinned->bytes;
  }

 private:
  std::mutex mutex_;
  std::map<uint8_t*, PinnedMemory*> by_address_;
};

bool is_pinned(const uint8_t* first, size_t bytes) { return PinnedTable::instance().contains(first, bytes); }

Napi::Value allocate_pinned(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Arguments arguments(info, "allocatePinned");
  const size_t bytes = arguments.bytes(0);
  if (bytes == 0) return Napi::ArrayBuffer::New(env, 0);
  arguments.check_external_size(bytes, "Allocate several smaller ones.");
  const RelaxedCapture relaxed;
  void* memory = nullptr;
  check_cuda(cudaHostAlloc(&memory, bytes, cudaHostAllocPortable), "cudaHostAlloc()", __FILE__, __LINE__);
  auto* pinned = new PinnedMemory{memory, bytes};
  PinnedTable::instance().add(pinned);
  const auto collect = [](Napi::Env, void*, PinnedMemory* collected) {
    if (collected->memory != nullptr) PinnedTable::instance().remove(collected->memory);
    collected->free();
    delete collected;
  };
  return Napi::ArrayBuffer::New(env, memory, bytes, collect, pinned);
}

Napi::Value free_pinned(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "freePinned");
  Napi::ArrayBuffer buffer = arguments.array_buffer(0, "buffer");
  if (buffer.ByteLength() == 0) return info.Env().Undefined();
  PinnedMemory* const pinned = PinnedTable::instance().remove(buffer.Data());
  if (pinned == nullptr) arguments.fail("buffer", "an ArrayBuffer of allocatePinned", "another one");
  buffer.Detach();  // JavaScript sees an empty buffer from here on
  pinned->free();   // the finalizer deletes the record
  return info.Env().Undefined();
}

Napi::Value fill(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "fill");
  const size_t bytes = arguments.bytes(3);
  void* const memory = arguments.memory(1, "address", bytes);
  const int64_t value = arguments.integer(2, "value");
  if (value > 255) arguments.fail("value", "a byte", std::to_string(value));
  use_device(arguments.device(0));
  if (bytes > 0) {
    LIMEN_CUDA_CHECK(cudaMemsetAsync(memory, static_cast<int>(value), bytes,
                                     arguments.address<cudaStream_t>(4, "stream")));
  }
  return info.Env().Undefined();
}

void refuse_capture(const char* function, cudaStream_t stream, const char* advice) {
  if (!is_capturing(stream)) return;
  throw OpError("CAPTURE_NOT_ALLOWED",
                std::string(function) + ": the stream is capturing a graph. " + advice);
}

Napi::Value copy_to_device(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "copyToDevice");
  const auto source = arguments.bytes_of_view(2, "source");
  void* const target = arguments.memory(1, "address", source.bytes);
  const auto stream = arguments.address<cudaStream_t>(3, "stream");
  const int device = arguments.device(0);
  use_device(device);
  if (source.bytes == 0) return info.Env().Undefined();
  if (!is_pinned(source.data, source.bytes)) {
    refuse_capture(
        "copyToDevice", stream,
        "A replay would read this host memory again: copy before the capture, or from a pinned buffer.");
    if (source.bytes >= kSmallestStagedUpload) {
      staged_upload(device, target, source.data, source.bytes, stream);
      return info.Env().Undefined();
    }
  }
  LIMEN_CUDA_CHECK(cudaMemcpyAsync(target, source.data, source.bytes, cudaMemcpyHostToDevice, stream));
  return info.Env().Undefined();
}

Napi::Value copy_on_device(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "copyOnDevice");
  const size_t bytes = arguments.bytes(3);
  void* const target = arguments.memory(1, "target", bytes);
  void* const source = arguments.memory(2, "source", bytes);
  use_device(arguments.device(0));
  if (bytes > 0) {
    LIMEN_CUDA_CHECK(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDefault,
                                     arguments.address<cudaStream_t>(4, "stream")));
  }
  return info.Env().Undefined();
}

// copyToPinned(device, address, target, targetOffset, bytes, stream)
Napi::Value copy_to_pinned(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "copyToPinned");
  const size_t bytes = arguments.bytes(4);
  void* const source = arguments.memory(1, "address", bytes);
  uint8_t* const target = arguments.span(arguments.array_buffer(2, "target"), "target",
                                         arguments.bytes(3, "targetOffset"), bytes);
  if (bytes == 0) return info.Env().Undefined();
  if (!is_pinned(target, bytes)) {
    arguments.fail("target", "an ArrayBuffer of allocatePinned", "ordinary memory (copyToHost takes it)");
  }
  use_device(arguments.device(0));
  LIMEN_CUDA_CHECK(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToHost,
                                   arguments.address<cudaStream_t>(5, "stream")));
  return info.Env().Undefined();
}

// The copy to page-locked memory is enqueued at the call, so that work enqueued afterwards cannot overtake
// it; the worker waits for it and moves the bytes on to the target, which it keeps alive.
class CopyToHostWorker : public WaitWorker {
 public:
  CopyToHostWorker(Napi::Env env, int device, cudaEvent_t event, StagingBlock staging, Napi::ArrayBuffer keep,
                   uint8_t* target, size_t bytes)
      : WaitWorker(env, "copyToHost", device, event, true),
        keep_(Napi::Reference<Napi::ArrayBuffer>::New(keep, 1)),
        staging_(staging),
        target_(target),
        bytes_(bytes) {}
  ~CopyToHostWorker() override { give_back_staging(staging_); }

 protected:
  void finish() override {
    if (staging_.memory != nullptr) std::memcpy(target_, staging_.memory, bytes_);
  }

 private:
  const Napi::Reference<Napi::ArrayBuffer> keep_;
  const StagingBlock staging_;
  uint8_t* const target_;
  const size_t bytes_;
};

// copyToHost(device, address, target, targetOffset, bytes, stream)
Napi::Value copy_to_host(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Arguments arguments(info, "copyToHost");
  const int device = arguments.device(0);
  const size_t bytes = arguments.bytes(4);
  void* const source = arguments.memory(1, "address", bytes);
  const Napi::ArrayBuffer buffer = arguments.array_buffer(2, "target");
  uint8_t* const target = arguments.span(buffer, "target", arguments.bytes(3, "targetOffset"), bytes);
  const auto stream = arguments.address<cudaStream_t>(5, "stream");
  use_device(device);
  refuse_capture("copyToHost", stream, "Read after the capture, from what a replay has written.");

  StagingBlock staging;
  cudaEvent_t event = nullptr;
  try {
    if (bytes > 0) {
      if (!is_pinned(target, bytes)) staging = take_staging(bytes);
      void* const landing = staging.memory != nullptr ? staging.memory : target;
      LIMEN_CUDA_CHECK(cudaMemcpyAsync(landing, source, bytes, cudaMemcpyDeviceToHost, stream));
    }
    event = record_wait_event(stream);
  } catch (const OpError&) {
    give_back_staging(staging);
    throw;
  }
  auto* worker = new CopyToHostWorker(env, device, event, staging, buffer, target, bytes);
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

}  // namespace

void bind_memory(Napi::Env, Napi::Object exports) {
  bind<allocate>(exports, "allocate");
  bind<free_memory>(exports, "free");
  bind<allocate_pinned>(exports, "allocatePinned");
  bind<free_pinned>(exports, "freePinned");
  bind<fill>(exports, "fill");
  bind<copy_to_device>(exports, "copyToDevice");
  bind<copy_on_device>(exports, "copyOnDevice");
  bind<copy_to_host>(exports, "copyToHost");
  bind<copy_to_pinned>(exports, "copyToPinned");
}

}  // namespace limen
