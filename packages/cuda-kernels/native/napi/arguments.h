// Reads the arguments of a call and refuses what cannot be right, before anything native sees it.

#pragma once

#include <cmath>
#include <cstdint>
#include <string>

#include "napi/binding.h"

namespace limen {

constexpr double kMaxExactInteger = 9007199254740992.0;  // 2^53: addresses and sizes arrive as doubles

class Arguments {
 public:
  Arguments(const Napi::CallbackInfo& info, const char* function) : info_(info), function_(function) {}

  int64_t integer(size_t index, const char* name, int64_t minimum = 0) const {
    // One call of Node-API where IsNumber and DoubleValue would be two: every op passes several numbers.
    const Napi::Value value = info_[index];
    double number = NAN;
    if (napi_get_value_double(info_.Env(), value, &number) != napi_ok) number = NAN;
    if (!(number >= static_cast<double>(minimum)) || number > kMaxExactInteger ||
        number != std::floor(number)) {
      fail(name, "an integer of at least " + std::to_string(minimum), text_of(value));
    }
    return static_cast<int64_t>(number);
  }

  int device(size_t index) const {
    const int64_t device = integer(index, "device");
    if (device > 1023) fail("device", "an index below 1024", std::to_string(device));
    return static_cast<int>(device);
  }

  size_t bytes(size_t index, const char* name = "bytes") const {
    return static_cast<size_t>(integer(index, name));
  }

  bool flag(size_t index, const char* name) const {
    if (!info_[index].IsBoolean()) fail(name, "a boolean", text_of(info_[index]));
    return info_[index].As<Napi::Boolean>().Value();
  }

  std::string text(size_t index, const char* name) const {
    if (!info_[index].IsString()) fail(name, "a string", text_of(info_[index]));
    return info_[index].As<Napi::String>().Utf8Value();
  }

  // Zero is the null pointer; for a stream it is the device's default stream.
  template <typename Pointer = void*>
  Pointer address(size_t index, const char* name) const {
    return reinterpret_cast<Pointer>(static_cast<uintptr_t>(integer(index, name)));
  }

  // A handle that must exist.
  template <typename Handle>
  Handle handle(size_t index, const char* name) const {
    return reinterpret_cast<Handle>(static_cast<uintptr_t>(integer(index, name, 1)));
  }

  // Device memory for `bytes` bytes: null is refused unless there is nothing to touch.
  void* memory(size_t index, const char* name, size_t bytes) const {
    void* const address = this->address(index, name);
    if (address == nullptr && bytes > 0) fail(name, "the address of device memory", "0");
    return address;
  }

  Napi::ArrayBuffer array_buffer(size_t index, const char* name) const {
    if (!info_[index].IsArrayBuffer()) fail(name, "an ArrayBuffer", text_of(info_[index]));
    return info_[index].As<Napi::ArrayBuffer>();
  }

  struct Doubles {
    const double* data;
    size_t count;
  };

  Doubles doubles(size_t index, const char* name) const {
    napi_typedarray_type type = napi_int8_array;
    size_t count = 0;
    void* data = nullptr;
    const napi_status status =
        napi_get_typedarray_info(info_.Env(), info_[index], &type, &count, &data, nullptr, nullptr);
    if (status != napi_ok || type != napi_float64_array) fail(name, "a Float64Array", text_of(info_[index]));
    return {static_cast<const double*>(data), count};
  }

  struct ByteSpan {
    uint8_t* data;
    size_t bytes;
  };

  ByteSpan bytes_of_view(size_t index, const char* name) const {
    const Napi::Value value = info_[index];
    if (value.IsTypedArray()) {
      const auto array = value.As<Napi::TypedArray>();
      return {static_cast<uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset(), array.ByteLength()};
    }
    if (value.IsDataView()) {
      const auto view = value.As<Napi::DataView>();
      return {static_cast<uint8_t*>(view.ArrayBuffer().Data()) + view.ByteOffset(), view.ByteLength()};
    }
    fail(name, "a typed array or a DataView", text_of(value));
  }

  // `bytes` bytes at `offset` of an ArrayBuffer.
  uint8_t* span(Napi::ArrayBuffer buffer, const char* name, size_t offset, size_t bytes) const {
    const size_t length = buffer.ByteLength();
    if (offset > length || bytes > length - offset) {
      fail(name, "at least " + std::to_string(offset) + " + " + std::to_string(bytes) + " bytes",
           std::to_string(length) + " bytes");
    }
    return static_cast<uint8_t*>(buffer.Data()) + offset;
  }

  // Checked beforehand, because Node.js runs the finalizer of a buffer that it refuses.
  void check_external_size(size_t bytes, const char* advice) const {
    const size_t limit = AddonState::of(info_.Env()).largest_external_buffer;
    if (bytes > limit) {
      throw OpError("BUFFER_TOO_LARGE",
                    std::string(function_) + ": bytes are too many for one ArrayBuffer: expected at most " +
                        std::to_string(limit) + ", got " + std::to_string(bytes) + ". " + advice);
    }
  }

  [[noreturn]] void fail(const char* name, const std::string& expected, const std::string& got) const {
    throw OpError("INVALID_ARGUMENT", std::string(function_) + ": " + name + " is invalid: expected " +
                                          expected + ", got " + got + ".");
  }

 private:
  static std::string text_of(Napi::Value value) {
    if (value.IsNumber() || value.IsString() || value.IsUndefined() || value.IsNull() || value.IsBoolean()) {
      return value.ToString().Utf8Value();
    }
    return value.IsFunction() ? "a function" : "an object";
  }

  const Napi::CallbackInfo& info_;
  const char* const function_;
};

inline Napi::Value number_of_pointer(Napi::Env env, const void* pointer) {
  return Napi::Number::New(env, static_cast<double>(reinterpret_cast<uintptr_t>(pointer)));
}

}  // namespace limen
