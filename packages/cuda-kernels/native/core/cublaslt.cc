// The few declarations of cuBLASLt that a linear layer needs (names and values as in NVIDIA's cublasLt.h, versions 12
// and 13), and a cache of the algorithm it recommends for each shape.

#include "cublaslt.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <type_traits>

#include "cuda_check.h"
#include "op_error.h"
#include "shared_library.h"

namespace limen {
namespace {

using Handle = void*;
using Descriptor = void*;
using Status = int;

struct Algorithm {
  uint64_t data[8];
};
struct HeuristicResult {
  Algorithm algorithm;
  size_t workspace_bytes;
  Status state;
  float waves;
  int reserved[4];
};

constexpr int kCompute32F = 68;
constexpr int kType32F = 0, kType16F = 2, kType16BF = 14;
constexpr int kDescriptorTransposeA = 3, kDescriptorEpilogue = 7, kDescriptorBias = 8;
constexpr int kPreferenceWorkspace = 1, kPreferenceAlignmentA = 5;  // then B, C and D
constexpr int kEpilogueDefault = 1, kEpilogueBias = 4;
constexpr int kTranspose = 1;

struct Library {
  bool usable = false;
  Status (*create)(Handle*);
  Status (*descriptor_create)(Descriptor*, int compute, int scale_type);
  Status (*descriptor_set)(Descriptor, int attribute, const void*, size_t);
  Status (*descriptor_destroy)(Descriptor);
  Status (*layout_create)(Descriptor*, int type, uint64_t rows, uint64_t columns, int64_t pitch);
  Status (*layout_destroy)(Descriptor);
  Status (*preference_create)(Descriptor*);
  Status (*preference_set)(Descriptor, int attribute, const void*, size_t);
  Status (*preference_destroy)(Descriptor);
  Status (*heuristic)(Handle, Descriptor operation, Descriptor a, Descriptor b, Descriptor c, Descriptor d,
                      Descriptor preference, int wanted, HeuristicResult*, int* found);
  Status (*matmul)(Handle, Descriptor operation, const void* alpha, const void* a, Descriptor a_layout, const void* b,
                   Descriptor b_layout, const void* beta, const void* c, Descriptor c_layout, void* d,
                   Descriptor d_layout, const Algorithm*, void* workspace, size_t workspace_bytes, cudaStream_t);
};

Library open_library() {
  Library library = {};
  const char* setting = std::getenv("LIMEN_CUBLASLT");
  if (setting != nullptr && std::strcmp(setting, "off") == 0) return library;
  SharedLibrary& shared = cublas_lt_library();
  if (!shared.loaded()) return library;
  library.usable = true;
  const auto bind = [&](auto& function, const char* name) {
    function = shared.symbol<std::remove_reference_t<decltype(function)>>(name);
    library.usable = library.usable && function != nullptr;
  };
  bind(library.create, "cublasLtCreate");
  bind(library.descriptor_create, "cublasLtMatmulDescCreate");
  bind(library.descriptor_set, "cublasLtMatmulDescSetAttribute");
  bind(library.descriptor_destroy, "cublasLtMatmulDescDestroy");
  bind(library.layout_create, "cublasLtMatrixLayoutCreate");
  bind(library.layout_destroy, "cublasLtMatrixLayoutDestroy");
  bind(library.preference_create, "cublasLtMatmulPreferenceCreate");
  bind(library.preference_set, "cublasLtMatmulPreferenceSetAttribute");
  bind(library.preference_destroy, "cublasLtMatmulPreferenceDestroy");
  bind(library.heuristic, "cublasLtMatmulAlgoGetHeuristic");
  bind(library.matmul, "cublasLtMatmul");
  return library;
}

const Library& library() {
  static const Library opened = open_library();
  return opened;
}

void check(Status status, const char* call) {
  if (status == 0) return;
  throw OpError("CUBLASLT_ERROR", std::string("linear: ") + call + " failed with status " + std::to_string(status) +
                                      ". Run with LIMEN_CUBLASLT=off to use the built-in kernels.");
}

// Owns one opaque object of the library.
class Owned {
 public:
  explicit Owned(Status (*destroy)(Descriptor)) : destroy_(destroy) {}
  ~Owned() {
    if (value != nullptr) destroy_(value);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  Descriptor value = nullptr;

 private:
  Status (*destroy_)(Descriptor);
};

int type_of(DType dtype) {
  switch (dtype) {
    case DType::kF16: return kType16F;
    case DType::kBF16: return kType16BF;
    default: return kType32F;
  }
}

// Everything the choice of algorithm depends on.
using ShapeKey = std::tuple<int, DType, int64_t, int64_t, int64_t, bool, bool, size_t>;
struct Choice {
  bool found = false;
  Algorithm algorithm = {};
};

// Handles and choices outlive every environment and are never destroyed: the driver may be gone by then.
struct State {
  std::mutex mutex;
  std::map<int, Handle> handles;
  std::map<ShapeKey, Choice> choices;
};
State& state() {
  static State* const shared = new State;
  return *shared;
}

}  // namespace

bool cublaslt_available() { return library().usable; }

bool cublaslt_linear(const LinearProduct& product, void* workspace, size_t workspace_bytes, cudaStream_t stream) {
  const Library& lt = library();
  if (!lt.usable) return false;
  int device = 0;
  LIMEN_CUDA_CHECK(cudaGetDevice(&device));

  // The library thinks column by column, so it sees every matrix transposed: yᵀ[N×M] = (weightᵀ)ᵀ · xᵀ.
  const int type = type_of(product.dtype);
  Owned operation(lt.descriptor_destroy), a(lt.layout_destroy), b(lt.layout_destroy), d(lt.layout_destroy);
  check(lt.descriptor_create(&operation.value, kCompute32F, kType32F), "cublasLtMatmulDescCreate");
  const int transpose = kTranspose, epilogue = product.bias != nullptr ? kEpilogueBias : kEpilogueDefault;
  check(lt.descriptor_set(operation.value, kDescriptorTransposeA, &transpose, sizeof(transpose)), "set transpose");
  check(lt.descriptor_set(operation.value, kDescriptorEpilogue, &epilogue, sizeof(epilogue)), "set epilogue");
  if (product.bias != nullptr) {
    check(lt.descriptor_set(operation.value, kDescriptorBias, &product.bias, sizeof(product.bias)), "set bias");
  }
  check(lt.layout_create(&a.value, type, product.length, product.columns, product.length), "layout of weight");
  check(lt.layout_create(&b.value, type, product.length, product.rows, product.length), "layout of x");
  check(lt.layout_create(&d.value, type, product.columns, product.rows, product.columns), "layout of y");

  State& shared = state();
  Handle handle = nullptr;
  Choice choice;
  {
    const std::lock_guard<std::mutex> lock(shared.mutex);
    Handle& held = shared.handles[device];
    if (held == nullptr) check(lt.create(&held), "cublasLtCreate");
    handle = held;
    const ShapeKey key(device, product.dtype, product.rows, product.columns, product.length, product.bias != nullptr,
                       product.residual != nullptr, workspace_bytes);
    const auto known = shared.choices.find(key);
    if (known != shared.choices.end()) {
      choice = known->second;
    } else {
      Owned preference(lt.preference_destroy);
      check(lt.preference_create(&preference.value), "cublasLtMatmulPreferenceCreate");
      const uint64_t bytes = workspace_bytes;
      check(lt.preference_set(preference.value, kPreferenceWorkspace, &bytes, sizeof(bytes)), "set workspace");
      const uint32_t alignment = 16;  // all that the caller promises
      for (int operand = 0; operand < 4; ++operand) {
        check(lt.preference_set(preference.value, kPreferenceAlignmentA + operand, &alignment, sizeof(alignment)),
              "set alignment");
      }
      HeuristicResult result = {};
      int found = 0;
      const Status status = lt.heuristic(handle, operation.value, a.value, b.value, d.value, d.value, preference.value,
                                         1, &result, &found);
      choice.found = status == 0 && found > 0 && result.state == 0;
      choice.algorithm = result.algorithm;
      shared.choices.emplace(key, choice);
    }
  }
  if (!choice.found) return false;

  const float alpha = 1.0f, beta = product.residual != nullptr ? 1.0f : 0.0f;
  const void* c = product.residual != nullptr ? product.residual : product.y;
  check(lt.matmul(handle, operation.value, &alpha, product.weight, a.value, product.x, b.value, &beta, c, d.value,
                  product.y, d.value, &choice.algorithm, workspace, workspace_bytes, stream),
        "cublasLtMatmul");
  return true;
}

}  // namespace limen
