// Native failure → JavaScript error with a stable code: CUDA_cudaErrorIllegalAddress → CUDA_ILLEGAL_ADDRESS.

#include <cctype>

#include "napi/arguments.h"

#ifdef LIMEN_WITH_CUDA
#include <cuda_runtime_api.h>
#endif

namespace limen {
namespace {

const std::string kCudaStatusPrefix = "CUDA_cudaError";

// IllegalAddress → ILLEGAL_ADDRESS, ECCUncorrectable → ECC_UNCORRECTABLE
std::string upper_snake(const std::string& name) {
  std::string result;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool upper = std::isupper(static_cast<unsigned char>(name[i])) != 0;
    const bool after_lower = i > 0 && !std::isupper(static_cast<unsigned char>(name[i - 1]));
    const bool before_lower =
        i + 1 < name.size() && std::islower(static_cast<unsigned char>(name[i + 1])) != 0;
    if (i > 0 && upper && (after_lower || before_lower)) result += '_';
    result += static_cast<char>(std::toupper(static_cast<unsigned char>(name[i])));
  }
  return result;
}

Napi::Value set_error_factory(const Napi::CallbackInfo& info) {
  if (!info[0].IsFunction())
    Arguments(info, "setErrorFactory").fail("factory", "a function", "something else");
  AddonState::of(info.Env()).create_error = Napi::Persistent(info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

}  // namespace

Napi::Error make_error(Napi::Env env, const std::string& code, const std::string& message) {
  std::string stable_code = code;
  if (code.rfind(kCudaStatusPrefix, 0) == 0)
    stable_code = "CUDA_" + upper_snake(code.substr(kCudaStatusPrefix.size()));
#ifdef LIMEN_WITH_CUDA
  if (code.rfind("CUDA_", 0) == 0) cudaGetLastError();
#endif
  const Napi::FunctionReference& create = AddonState::of(env).create_error;
  if (!create.IsEmpty()) {
    const Napi::Value error =
        create.Value().Call({Napi::String::New(env, stable_code), Napi::String::New(env, message)});
    if (error.IsObject()) return Napi::Error(env, error);
  }
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, stable_code));
  return error;
}

std::string named(const char* function, const std::string& message) {
  size_t name_length = 0;
  while (
      name_length < message.size() &&
      (std::isalnum(static_cast<unsigned char>(message[name_length])) != 0 || message[name_length] == '_')) {
    ++name_length;
  }
  const bool has_name = name_length > 0 && message.compare(name_length, 2, ": ") == 0;
  return has_name ? message : std::string(function) + ": " + message;
}

void bind_errors(Napi::Env, Napi::Object exports) { bind<set_error_factory>(exports, "setErrorFactory"); }

}  // namespace limen
