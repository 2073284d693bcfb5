// Threads for CPU ops: one pool per process, threads that stay, one call that splits a range over them.

#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace limen {

// A reference to a callable `void(int64_t begin, int64_t end)`. It owns nothing: the callable must outlive
// the call.
class FunctionRef {
 public:
  template <typename Body, typename = std::enable_if_t<!std::is_same_v<std::decay_t<Body>, FunctionRef>>>
  FunctionRef(Body&& body)  // NOLINT: implicit, so that a lambda can be passed directly
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(body)))),
        invoke_([](void* object, int64_t begin, int64_t end) {
          (*static_cast<std::remove_reference_t<Body>*>(object))(begin, end);
        }) {}

  void operator()(int64_t begin, int64_t end) const { invoke_(object_, begin, end); }

 private:
  void* object_;
  void (*invoke_)(void*, int64_t, int64_t);
};

// Calls body(begin, end) on pieces that cover [0, count) exactly once, and returns when all are done.
//
// Every piece starts at a multiple of `grain` and, except the last, holds a multiple of `grain` items; choose
// the grain so that one piece is worth some 20 microseconds. The calling thread works too. An exception in a
// piece is rethrown here after the others have stopped. A nested call, or a call while another thread uses
// the pool, runs in the caller.
void parallel_for(int64_t count, int64_t grain, FunctionRef body);

// Threads that parallel_for uses, the caller included. The default is LIMEN_CPU_THREADS, else the cores this
// process may use (its affinity mask and its cgroup quota).
int thread_count();
void set_thread_count(int count);

}  // namespace limen
