// Kernels register themselves here by name. The table is derived from what is linked in: there is no list to edit.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "op_error.h"
#include "tensor_view.h"

namespace limen {

enum class Backend : int32_t { kCpu = 0, kCuda = 1 };

// One call of an op. Tensors stand in the order of the TypeScript declaration: inputs, then outputs.
// Attributes likewise; booleans arrive as 0 or 1 and choices as their index.
struct OpCall {
  const char* name = "";
  void* stream = nullptr;  // cudaStream_t; null on the CPU
  const TensorView* tensors = nullptr;
  int tensor_count = 0;
  const double* attributes = nullptr;
  int attribute_count = 0;
  void* workspace = nullptr;  // at least what the op's workspace function asked for; 256-byte aligned
  size_t workspace_bytes = 0;

  const TensorView& tensor(int index) const { return tensors[index]; }
  double number(int index) const { return attributes[index]; }
  int64_t integer(int index) const { return static_cast<int64_t>(attributes[index]); }
  bool flag(int index) const { return attributes[index] != 0; }
};

// A launcher uses call.stream only, allocates nothing, never synchronises, and throws OpError on bad arguments.
using Launcher = void (*)(const OpCall&);
// Bytes of scratch memory that a launcher needs for these arguments (their data pointers must not be followed).
using WorkspaceQuery = size_t (*)(const OpCall&);

struct OpEntry {
  std::string name;
  Backend backend;
  Launcher launch;
  WorkspaceQuery workspace;  // null when the op needs none
};

class OpRegistry {
 public:
  static OpRegistry& instance();
  bool add(const char* name, Backend backend, Launcher launch, WorkspaceQuery workspace = nullptr);
  const std::vector<OpEntry>& entries() const { return entries_; }

 private:
  std::vector<OpEntry> entries_;
};

}  // namespace limen

// REGISTER_CUDA_OP(rms_norm, launch_rms_norm) or REGISTER_CUDA_OP(linear, launch_linear, workspace_of_linear)
#define REGISTER_CUDA_OP(op, ...) \
  static const bool op##_registered_on_cuda = \
      ::limen::OpRegistry::instance().add(#op, ::limen::Backend::kCuda, __VA_ARGS__)
#define REGISTER_CPU_OP(op, ...) \
  static const bool op##_registered_on_cpu = \
      ::limen::OpRegistry::instance().add(#op, ::limen::Backend::kCpu, __VA_ARGS__)
