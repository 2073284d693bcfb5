// Host side: addresses of buffers, mapped files, threads and instruction sets.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/thread_pool.h"
#include "cpu/cpu_features.h"
#include "napi/arguments.h"

namespace limen {
namespace {

Napi::Value address_of(const Napi::CallbackInfo& info) {
  return number_of_pointer(info.Env(), Arguments(info, "addressOf").array_buffer(0, "buffer").Data());
}

class OpenFile {
 public:
  explicit OpenFile(const std::string& path)
      : path_(path), descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) fail("cannot be opened");
  }
  ~OpenFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  int descriptor() const { return descriptor_; }
  size_t bytes() const {
    struct stat facts;
    if (fstat(descriptor_, &facts) != 0) fail("cannot be inspected");
    if (!S_ISREG(facts.st_mode))
      throw OpError("FILE_NOT_MAPPED", "mapFile: " + path_ + " is not a regular file.");
    return static_cast<size_t>(facts.st_size);
  }
  [[noreturn]] void fail(const char* problem) const {
    throw OpError("FILE_NOT_MAPPED", "mapFile: " + path_ + " " + problem + ": " + std::strerror(errno) + ".");
  }

 private:
  const std::string path_;
  const int descriptor_;
};

struct Mapping {
  void* start;
  size_t bytes;
};

// mapFile(path, offset?, bytes?): an ArrayBuffer that begins exactly at `offset`.
Napi::Value map_file(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Arguments arguments(info, "mapFile");
  const OpenFile file(arguments.text(0, "path"));
  const size_t file_bytes = file.bytes();
  const size_t offset = info[1].IsUndefined() ? 0 : arguments.bytes(1, "offset");
  if (offset > file_bytes) {
    arguments.fail("offset", "at most the file's " + std::to_string(file_bytes) + " bytes",
                   std::to_string(offset));
  }
  const size_t bytes = info[2].IsUndefined() ? file_bytes - offset : arguments.bytes(2);
  if (bytes > file_bytes - offset) {
    arguments.fail("bytes", "at most " + std::to_string(file_bytes - offset) + " after the offset",
                   std::to_string(bytes));
  }
  if (bytes == 0) return Napi::ArrayBuffer::New(env, 0);
  arguments.check_external_size(bytes, "Map the file in parts: mapFile(path, offset, bytes).");

  const size_t lead = offset % static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* const start = mmap(nullptr, bytes + lead, PROT_READ, MAP_SHARED, file.descriptor(),
                           static_cast<off_t>(offset - lead));
  if (start == MAP_FAILED) file.fail("cannot be mapped");
  auto* mapping = new Mapping{start, bytes + lead};
  const auto unmap = [](Napi::Env, void*, Mapping* finished) {
    munmap(finished->start, finished->bytes);
    delete finished;
  };
  return Napi::ArrayBuffer::New(env, static_cast<uint8_t*>(start) + lead, bytes, unmap, mapping);
}

Napi::Value cpu_threads(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), thread_count());
}

Napi::Value set_cpu_threads(const Napi::CallbackInfo& info) {
  set_thread_count(
      static_cast<int>(std::min<int64_t>(Arguments(info, "setCpuThreads").integer(0, "count", 1), 256)));
  return info.Env().Undefined();
}

Napi::Value list_cpu_features(const Napi::CallbackInfo& info) {
  Napi::Array list = Napi::Array::New(info.Env());
  for (const std::string& feature : cpu_features()) list.Set(list.Length(), feature);
  return list;
}

}  // namespace

void bind_host(Napi::Env, Napi::Object exports) {
  bind<address_of>(exports, "addressOf");
  bind<map_file>(exports, "mapFile");
  bind<cpu_threads>(exports, "cpuThreads");
  bind<set_cpu_threads>(exports, "setCpuThreads");
  bind<list_cpu_features>(exports, "cpuFeatures");
}

}  // namespace limen
