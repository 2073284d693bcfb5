#include "shared_library.h"

#include <dlfcn.h>
#include <link.h>

#include <cstdlib>
#include <sstream>

namespace limen {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<std::string> split_folders(const std::string& text) {
  std::vector<std::string> folders;
  std::istringstream stream(text);
  for (std::string folder; std::getline(stream, folder, ':');) {
    if (!folder.empty()) folders.push_back(folder);
  }
  return folders;
}

}  // namespace

bool SharedLibrary::try_file(const std::string& file) {
  handle_ = dlopen(file.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (handle_ == nullptr) {
    const char* text = dlerror();
    error_ += (error_.empty() ? "" : "; ") + std::string(text == nullptr ? file.c_str() : text);
    return false;
  }
  link_map* map = nullptr;
  const bool known = dlinfo(handle_, RTLD_DI_LINKMAP, &map) == 0 && map != nullptr && map->l_name[0] != '\0';
  path_ = known ? map->l_name : file;
  error_.clear();
  return true;
}

void SharedLibrary::open() {
  const std::string explicit_path = variable(path_variable_);
  if (!explicit_path.empty()) {
    try_file(explicit_path);
    return;
  }
  for (const std::string& folder : split_folders(variable("LIMEN_LIBRARY_PATH"))) {
    for (const std::string& name : names_) {
      if (try_file(folder + "/" + name)) return;
    }
  }
  for (const std::string& name : names_) {
    if (try_file(name)) return;
  }
  const std::string reason = error_;  // the folders below are guesses: their failures would only be noise
  for (const std::string& root :
       {variable("CUDA_HOME"), variable("CUDA_PATH"), std::string("/usr/local/cuda")}) {
    if (root.empty()) continue;
    for (const std::string& name : names_) {
      if (try_file(root + "/lib64/" + name)) return;
    }
  }
  error_ = reason;
}

bool SharedLibrary::loaded() {
  std::call_once(once_, [this] { open(); });
  return handle_ != nullptr;
}

const std::string& SharedLibrary::path() {
  loaded();
  return path_;
}

const std::string& SharedLibrary::error() {
  loaded();
  return error_;
}

void* SharedLibrary::find(const char* name) { return loaded() ? dlsym(handle_, name) : nullptr; }

// Never destroyed: other threads may still be calling into them while the process leaves.
SharedLibrary& cublas_lt_library() {
  static auto* library = new SharedLibrary({"libcublasLt.so.13", "libcublasLt.so.12"}, "LIMEN_CUBLASLT_PATH");
  return *library;
}

SharedLibrary& nccl_library() {
  static auto* library = new SharedLibrary({"libnccl.so.2"}, "LIMEN_NCCL_PATH");
  return *library;
}

SharedLibrary& nvml_library() {
  static auto* library = new SharedLibrary({"libnvidia-ml.so.1"}, "LIMEN_NVML_PATH");
  return *library;
}

}  // namespace limen
