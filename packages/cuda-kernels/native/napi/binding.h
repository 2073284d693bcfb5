// What the files of napi/ share: the state of one JavaScript environment, guarded functions, and the list of
// parts.

#pragma once

#define NODE_ADDON_API_DISABLE_DEPRECATED
#include <napi.h>

#include <string>

#include "core/op_error.h"

namespace limen {

// One per environment (main thread or worker), owned by Node-API.
struct AddonState {
  Napi::FunctionReference create_error;  // (code, message) => Error; see native.ts
  size_t largest_external_buffer = 0;    // bytes; Node.js refuses more for memory it did not allocate itself

  static AddonState& of(Napi::Env env) { return *env.GetInstanceData<AddonState>(); }
};

// The JavaScript error of a native failure. Takes the last CUDA error off the thread, so that a later check
// does not report it a second time.
Napi::Error make_error(Napi::Env env, const std::string& code, const std::string& message);

// `message` with the name of the function in front, unless it begins with a name already.
std::string named(const char* function, const std::string& message);

// A native function that may throw OpError, as a JavaScript function that throws a coded error. Its data is
// its name.
template <Napi::Value (*Function)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  try {
    return Function(info);
  } catch (const OpError& error) {
    throw make_error(info.Env(), error.code(), named(static_cast<const char*>(info.Data()), error.what()));
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw make_error(info.Env(), "NATIVE_FAILURE",
                     named(static_cast<const char*>(info.Data()), error.what()));
  }
}

// `name` is a literal.
template <Napi::Value (*Function)(const Napi::CallbackInfo&)>
void bind(Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<guarded<Function>>(exports.Env(), name, const_cast<char*>(name)));
}

void bind_errors(Napi::Env env, Napi::Object exports);
void bind_ops(Napi::Env env, Napi::Object exports);
void bind_host(Napi::Env env, Napi::Object exports);
void bind_libraries(Napi::Env env, Napi::Object exports);
void bind_gpu_status(Napi::Env env, Napi::Object exports);
#ifdef LIMEN_WITH_CUDA
void bind_devices(Napi::Env env, Napi::Object exports);
void bind_memory(Napi::Env env, Napi::Object exports);
void bind_streams(Napi::Env env, Napi::Object exports);
void bind_events(Napi::Env env, Napi::Object exports);
void bind_graphs(Napi::Env env, Napi::Object exports);
#else
void bind_cuda_absent(Napi::Env env, Napi::Object exports);
#endif

}  // namespace limen
