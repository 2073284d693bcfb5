// What the CPU kernel test and its benchmark share: random tensors in exactly sized, poisoned buffers, and op calls.

#pragma once

#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/op_registry.h"
#include "cpu/simd/half.h"

namespace limen::cpu::test {

using namespace plain;  // half.h, compiled for no instruction set in particular

inline std::mt19937& random_source() {
  static std::mt19937 source(20240607);
  return source;
}

inline int64_t pick(int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random_source());
}

// A contiguous tensor with its own memory; values are kept in double as the kernels see them, after rounding.
class Tensor {
 public:
  Tensor() = default;
  Tensor(DType dtype, std::vector<int64_t> shape) {
    view_.dtype = dtype;
    view_.rank = static_cast<int>(shape.size());
    int64_t count = 1;
    for (int axis = view_.rank - 1; axis >= 0; --axis) {
      view_.shape[axis] = shape[axis];
      view_.stride[axis] = count;
      count *= shape[axis];
    }
    bytes_.resize(count * size_of(dtype), 0x7f);  // NaN or a huge value in every float type
    view_.data = bytes_.data();
  }

  static Tensor random(DType dtype, std::vector<int64_t> shape, double deviation = 1) {
    Tensor tensor(dtype, std::move(shape));
    std::normal_distribution<double> normal(0, deviation);
    for (int64_t i = 0; i < tensor.size(); ++i) tensor.set(i, normal(random_source()));
    return tensor;
  }

  const TensorView& view() const { return view_; }
  int64_t size() const { return view_.size(); }
  int64_t shape(int axis) const { return view_.shape[axis]; }
  const std::vector<uint8_t>& bytes() const { return bytes_; }
  bool present() const { return view_.present(); }

  void set(int64_t i, double value) {
    switch (view_.dtype) {
      case DType::kF32: view_.as<float>()[i] = static_cast<float>(value); break;
      case DType::kF16: from_float(static_cast<float>(value), view_.as<F16>() + i); break;
      case DType::kBF16: from_float(static_cast<float>(value), view_.as<BF16>() + i); break;
      case DType::kI32: view_.as<int32_t>()[i] = static_cast<int32_t>(value); break;
      default: view_.as<int8_t>()[i] = static_cast<int8_t>(value); break;
    }
  }

  double get(int64_t i) const {
    switch (view_.dtype) {
      case DType::kF32: return view_.as<float>()[i];
      case DType::kF16: return to_float(view_.as<F16>()[i]);
      case DType::kBF16: return to_float(view_.as<BF16>()[i]);
      case DType::kI32: return view_.as<int32_t>()[i];
      default: return view_.as<int8_t>()[i];
    }
  }

  // The part [0, size) of an axis, still with the strides of the whole.
  TensorView narrowed(int axis, int64_t start, int64_t size) const {
    TensorView part = view_;
    part.shape[axis] = size;
    part.data = view_.as<char>() + start * view_.stride[axis] * size_of(view_.dtype);
    return part;
  }

  Tensor(Tensor&&) = default;
  Tensor& operator=(Tensor&&) = default;
  Tensor(const Tensor& other) : view_(other.view_), bytes_(other.bytes_) { view_.data = bytes_.data(); }

 private:
  TensorView view_;
  std::vector<uint8_t> bytes_;
};

// Runs a CPU op by name, as the binding does.
class Op {
 public:
  explicit Op(const char* name) {
    for (const OpEntry& entry : OpRegistry::instance().entries()) {
      if (entry.name == name && entry.backend == Backend::kCpu) entry_ = &entry;
    }
    if (!entry_) throw OpError("NOT_REGISTERED", name);
  }

  void operator()(const std::vector<TensorView>& tensors, const std::vector<double>& attributes) {
    OpCall call;
    call.name = entry_->name.c_str();
    call.tensors = tensors.data();
    call.tensor_count = static_cast<int>(tensors.size());
    call.attributes = attributes.data();
    call.attribute_count = static_cast<int>(attributes.size());
    const size_t bytes = entry_->workspace ? entry_->workspace(call) : 0;
    if (bytes > workspace_bytes_) {
      std::free(workspace_);
      workspace_ = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
      workspace_bytes_ = bytes;
      std::memset(workspace_, 0x7f, bytes);
    }
    call.workspace = workspace_;
    call.workspace_bytes = bytes;
    entry_->launch(call);
  }

  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
  ~Op() { std::free(workspace_); }

 private:
  const OpEntry* entry_ = nullptr;
  void* workspace_ = nullptr;
  size_t workspace_bytes_ = 0;
};

void run_benchmarks(const char* filter);

}  // namespace limen::cpu::test
