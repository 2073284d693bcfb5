// Ops across the border: a packed descriptor becomes TensorViews, and the registered launcher gets them.

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/op_registry.h"
#include "napi/arguments.h"

#ifdef LIMEN_WITH_CUDA
#include "core/cuda_check.h"
#include "napi/cuda_device.h"
#endif

namespace limen {
namespace {

// The arrays are this long whatever the call brings, so that a launcher that asks for too much reads zeros.
constexpr int64_t kMaxTensors = 24;
constexpr size_t kMaxAttributes = 32;
constexpr int kDTypeCount = 7;

const OpEntry& entry_of(const Arguments& arguments) {
  const auto& entries = OpRegistry::instance().entries();
  const int64_t index = arguments.integer(0, "op");
  if (index >= static_cast<int64_t>(entries.size())) {
    arguments.fail("op", "an index below " + std::to_string(entries.size()), std::to_string(index));
  }
  return entries[static_cast<size_t>(index)];
}

// The arguments of one call, checked and unpacked. Lives on the stack.
class UnpackedCall {
 public:
  UnpackedCall(const Arguments& arguments, const OpEntry& entry, size_t first) : name_(entry.name) {
    const int64_t count = arguments.integer(first, "tensorCount");
    if (count > kMaxTensors) arguments.fail("tensorCount", "at most 24", std::to_string(count));
    const Arguments::Doubles descriptors = arguments.doubles(first + 1, "descriptors");
    const Arguments::Doubles attributes = arguments.doubles(first + 2, "attributes");
    cursor_ = descriptors.data;
    end_ = cursor_ + descriptors.count;
    for (int64_t i = 0; i < count; ++i) read_tensor(static_cast<int>(i));
    if (cursor_ != end_) {
      refuse("descriptors go on after tensor " + std::to_string(count - 1) +
             ": expected no more numbers, got " + std::to_string(end_ - cursor_));
    }
    call.name = entry.name.c_str();
    call.tensors = tensors_;
    call.tensor_count = static_cast<int>(count);
    const size_t attribute_count = attributes.count;
    if (attribute_count > kMaxAttributes)
      arguments.fail("attributes", "at most 32 numbers", std::to_string(attribute_count));
    std::copy_n(attributes.data, attribute_count, attributes_);
    call.attributes = attributes_;
    call.attribute_count = static_cast<int>(attribute_count);
  }

  OpCall call;

 private:
  void read_tensor(int index) {
    TensorView& tensor = tensors_[index];
    const double address = next(index);
    const double dtype = next(index);
    const double rank = next(index);
    if (!is_integer(address)) refuse_tensor(index, "address", "an integer", address);
    if (!is_integer(dtype) || dtype >= kDTypeCount) refuse_tensor(index, "dtype", "0 to 6", dtype);
    if (!is_integer(rank) || rank > kMaxRank) refuse_tensor(index, "rank", "0 to 8", rank);
    tensor.data = reinterpret_cast<void*>(static_cast<uintptr_t>(address));
    tensor.dtype = static_cast<DType>(static_cast<int32_t>(dtype));
    tensor.rank = static_cast<int>(rank);
    if (end_ - cursor_ < 2 * tensor.rank) refuse_short(index);
    for (int axis = 0; axis < tensor.rank; ++axis) {
      const double size = cursor_[axis];
      const double stride = cursor_[tensor.rank + axis];
      if (!is_integer(size)) refuse_tensor(index, "size", "an integer of at least 0", size);
      if (!is_integer(std::fabs(stride))) refuse_tensor(index, "stride", "an integer", stride);
      tensor.shape[axis] = static_cast<int64_t>(size);
      tensor.stride[axis] = static_cast<int64_t>(stride);
    }
    cursor_ += 2 * tensor.rank;
    if (tensor.data == nullptr && tensor.rank > 0 && tensor.size() > 0) {
      refuse_tensor(index, "address", "memory for its elements", 0);
    }
  }

  double next(int index) {
    if (cursor_ == end_) refuse_short(index);
    return *cursor_++;
  }

  static bool is_integer(double value) {
    return value >= 0 && value <= kMaxExactInteger && value == std::floor(value);
  }

  [[noreturn]] void refuse(const std::string& problem) const {
    throw OpError("INVALID_DESCRIPTOR", name_ + ": " + problem + ".");
  }
  [[noreturn]] void refuse_short(int index) const {
    refuse("descriptors end inside tensor " + std::to_string(index) +
           ": expected [address, dtype, rank, shape…, stride…] for each tensor");
  }
  [[noreturn]] void refuse_tensor(int index, const char* field, const char* expected, double got) const {
    refuse("tensor " + std::to_string(index) + " has a wrong " + field + ": expected " + expected + ", got " +
           std::to_string(got));
  }

  const std::string& name_;
  TensorView tensors_[kMaxTensors];
  double attributes_[kMaxAttributes] = {};
  const double* cursor_ = nullptr;
  const double* end_ = nullptr;
};

Napi::Value ops(const Napi::CallbackInfo& info) {
  const auto& entries = OpRegistry::instance().entries();
  Napi::Array list = Napi::Array::New(info.Env(), entries.size());
  for (uint32_t i = 0; i < entries.size(); ++i) {
    Napi::Object op = Napi::Object::New(info.Env());
    op.Set("name", entries[i].name);
    op.Set("backend", entries[i].backend == Backend::kCuda ? "cuda" : "cpu");
    op.Set("usesWorkspace", entries[i].workspace != nullptr);
    list.Set(i, op);
  }
  return list;
}

// opWorkspace(op, tensorCount, descriptors, attributes)
Napi::Value op_workspace(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "opWorkspace");
  const OpEntry& entry = entry_of(arguments);
  if (entry.workspace == nullptr) return Napi::Number::New(info.Env(), 0);
  const UnpackedCall unpacked(arguments, entry, 1);
  return Napi::Number::New(info.Env(), static_cast<double>(entry.workspace(unpacked.call)));
}

#ifdef LIMEN_WITH_CUDA
// Read at each call: cheap beside a launch, and a test or a debugger may set it while the process runs.
bool synchronizes_each_op() {
  const char* value = std::getenv("LIMEN_SYNC");
  return value != nullptr && std::strcmp(value, "1") == 0;
}

void check_cuda_op(cudaError_t status, const char* name, const char* hint) {
  if (status == cudaSuccess) return;
  throw OpError(std::string("CUDA_") + cudaGetErrorName(status),
                std::string(name) + ": the launch failed: " + cudaGetErrorString(status) + "." + hint);
}

void run_on_device(const OpEntry& entry, const OpCall& call, int device) {
  use_device(device);
  entry.launch(call);
  check_cuda_op(cudaGetLastError(), call.name,
                " The fault may come from an earlier op: set LIMEN_SYNC=1 to have the faulty one reported.");
  if (!synchronizes_each_op()) return;
  const auto stream = static_cast<cudaStream_t>(call.stream);
  cudaStreamCaptureStatus capturing = cudaStreamCaptureStatusNone;
  LIMEN_CUDA_CHECK(cudaStreamIsCapturing(stream, &capturing));
  if (capturing == cudaStreamCaptureStatusNone) {
    check_cuda_op(cudaStreamSynchronize(stream), call.name, " (LIMEN_SYNC=1: this op is the faulty one.)");
  }
}
#endif

// runOp(op, device, stream, tensorCount, descriptors, attributes, workspace, workspaceBytes)
Napi::Value run_op(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "runOp");
  const OpEntry& entry = entry_of(arguments);
  UnpackedCall unpacked(arguments, entry, 3);
  OpCall& call = unpacked.call;
  call.workspace_bytes = arguments.bytes(7, "workspaceBytes");
  call.workspace = arguments.memory(6, "workspace", call.workspace_bytes);
  if (reinterpret_cast<uintptr_t>(call.workspace) % 256 != 0) {
    arguments.fail("workspace", "an address aligned to 256 bytes",
                   std::to_string(arguments.integer(6, "workspace")));
  }
  try {
    if (entry.backend == Backend::kCpu) {
      entry.launch(call);
    } else {
#ifdef LIMEN_WITH_CUDA
      call.stream = arguments.address(2, "stream");
      run_on_device(entry, call, arguments.device(1));
#endif
    }
  } catch (const OpError& error) {
    const std::string message = error.what();
    if (message.rfind(entry.name + ":", 0) == 0) throw;
    throw OpError(error.code(), entry.name + ": " + message);
  }
  return info.Env().Undefined();
}

}  // namespace

void bind_ops(Napi::Env, Napi::Object exports) {
  bind<ops>(exports, "ops");
  bind<op_workspace>(exports, "opWorkspace");
  bind<run_op>(exports, "runOp");
}

}  // namespace limen
