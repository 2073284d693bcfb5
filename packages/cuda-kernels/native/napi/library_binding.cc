// Which of the optional libraries could be opened, and why not.

#include "core/shared_library.h"
#include "napi/binding.h"

namespace limen {
namespace {

Napi::Object describe_library(Napi::Env env, const char* name, SharedLibrary& library) {
  Napi::Object status = Napi::Object::New(env);
  status.Set("name", name);
  status.Set("loaded", library.loaded());
  status.Set("path", library.path());
  status.Set("error", library.error());
  return status;
}

Napi::Value libraries(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array list = Napi::Array::New(env, 3);
  list.Set(0u, describe_library(env, "cublasLt", cublas_lt_library()));
  list.Set(1u, describe_library(env, "nccl", nccl_library()));
  list.Set(2u, describe_library(env, "nvml", nvml_library()));
  return list;
}

}  // namespace

void bind_libraries(Napi::Env, Napi::Object exports) { bind<libraries>(exports, "libraries"); }

}  // namespace limen
