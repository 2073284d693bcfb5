// Libraries that a CUDA machine already has, opened at run time: nothing is linked, and a missing one is a
// plain fact.

#pragma once

#include <mutex>
#include <string>
#include <vector>

namespace limen {

class SharedLibrary {
 public:
  // `names` are tried in order, newest first. `path_variable` names an environment variable with the full
  // path of the file; when it is set, nothing else is tried.
  SharedLibrary(std::vector<std::string> names, const char* path_variable)
      : names_(std::move(names)), path_variable_(path_variable) {}

  // Tries, once per process: the path variable, each folder of LIMEN_LIBRARY_PATH, the dynamic loader's own
  // search, the lib64 folder of CUDA_HOME, CUDA_PATH and /usr/local/cuda. Safe from any thread.
  bool loaded();
  const std::string& path();   // empty when it is not loaded
  const std::string& error();  // why it is not loaded; empty when it is

  // Null when the library or the symbol is missing.
  template <typename Function>
  Function symbol(const char* name) {
    return reinterpret_cast<Function>(find(name));
  }

 private:
  void open();
  bool try_file(const std::string& file);
  void* find(const char* name);

  const std::vector<std::string> names_;
  const char* const path_variable_;
  std::once_flag once_;
  void* handle_ = nullptr;
  std::string path_;
  std::string error_;
};

// The three that Limen knows. They stay open until the process ends.
SharedLibrary& cublas_lt_library();
SharedLibrary& nccl_library();
SharedLibrary& nvml_library();

}  // namespace limen
