// The pool never ends its threads: joining them in a static destructor could hang a process that is already
// leaving. A thread that wakes late does not delay a call: it finds the job closed and sleeps again.

#include "thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>

namespace limen {
namespace {

constexpr int kMaxThreads = 256;
// Consecutive ops follow each other within microseconds, so a short spin saves most wake-ups.
constexpr auto kSpin = std::chrono::microseconds(30);

int cores_of_affinity() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

// Containers limit processor time by a quota that the affinity mask does not show.
int cores_of_cgroup() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return kMaxThreads;
  const double cores = std::strtod(quota.c_str(), nullptr) / period;
  return std::max(1, static_cast<int>(cores + 0.5));
}

int default_thread_count() {
  if (const char* text = std::getenv("LIMEN_CPU_THREADS")) {
    const long count = std::strtol(text, nullptr, 10);
    if (count > 0) return static_cast<int>(std::min<long>(count, kMaxThreads));
  }
  return std::min({cores_of_affinity(), cores_of_cgroup(), kMaxThreads});
}

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

template <typename Condition>
bool spin_until(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (condition()) return true;
      pause_briefly();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

struct Job {
  Job(FunctionRef body, int64_t count, int64_t piece) : body(body), count(count), piece(piece) {}

  FunctionRef body;
  int64_t count;
  int64_t piece;
  std::atomic<int64_t> next{0};
  std::mutex error_mutex;
  std::exception_ptr error;

  void work() {
    while (true) {
      const int64_t begin = next.fetch_add(piece, std::memory_order_relaxed);
      if (begin >= count) return;
      try {
        body(begin, std::min(begin + piece, count));
      } catch (...) {
        std::lock_guard<std::mutex> lock(error_mutex);
        if (!error) error = std::current_exception();
        next.store(count, std::memory_order_relaxed);  // the other threads take no further piece
      }
    }
  }
};

thread_local bool inside_parallel_for = false;

class ThreadPool {
 public:
  // Never destroyed, see the head of this file.
  static ThreadPool& instance() {
    static ThreadPool* pool = new ThreadPool();
    return *pool;
  }

  int limit() const { return limit_.load(std::memory_order_relaxed); }
  void set_limit(int limit) { limit_.store(std::clamp(limit, 1, kMaxThreads), std::memory_order_relaxed); }

  // False when another thread is using the pool.
  bool run(Job& job, int threads) {
    std::unique_lock<std::mutex> busy(busy_, std::try_to_lock);
    if (!busy.owns_lock()) return false;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      while (started_ < threads - 1) start_thread();
      job_ = &job;
      helpers_ = threads - 1;
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    job.work();
    std::unique_lock<std::mutex> lock(mutex_);
    job_ = nullptr;
    if (active_ == 0) return true;
    lock.unlock();
    if (!spin_until([this] { return active_.load(std::memory_order_acquire) == 0; })) {
      lock.lock();
      done_.wait(lock, [this] { return active_ == 0; });
      return true;
    }
    // The last helper may still hold the mutex; the job must not go away under it.
    lock.lock();
    return true;
  }

 private:
  ThreadPool() : limit_(default_thread_count()) {}

  void start_thread() {
    const int index = started_++;
    std::thread([this, index] { serve(index); }).detach();
  }

  void serve(int index) {
    pthread_setname_np(pthread_self(), "limen-cpu");
    inside_parallel_for = true;
    uint64_t seen = 0;
    while (true) {
      spin_until([&] { return generation_.load(std::memory_order_acquire) != seen; });
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return generation_.load(std::memory_order_relaxed) != seen; });
      seen = generation_.load(std::memory_order_relaxed);
      if (job_ == nullptr || index >= helpers_) continue;
      Job* job = job_;
      active_.fetch_add(1, std::memory_order_relaxed);
      lock.unlock();
      job->work();
      lock.lock();
      if (active_.fetch_sub(1, std::memory_order_release) == 1) done_.notify_one();
    }
  }

  std::atomic<int> limit_;
  std::mutex busy_;  // held by the caller for the length of its job
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  Job* job_ = nullptr;
  int helpers_ = 0;
  int started_ = 0;
  std::atomic<int> active_{0};
  std::atomic<uint64_t> generation_{0};
};

}  // namespace

void parallel_for(int64_t count, int64_t grain, FunctionRef body) {
  if (count <= 0) return;
  grain = std::max<int64_t>(1, grain);
  const int64_t grains = (count + grain - 1) / grain;
  ThreadPool& pool = ThreadPool::instance();
  const int threads = static_cast<int>(std::min<int64_t>(pool.limit(), grains));
  if (threads <= 1 || inside_parallel_for) return body(0, count);

  // About four pieces a thread, so that a thread which is interrupted does not hold up the rest.
  const int64_t pieces = std::min<int64_t>(grains, int64_t{threads} * 4);
  Job job(body, count, (grains + pieces - 1) / pieces * grain);
  inside_parallel_for = true;
  const bool ran = pool.run(job, threads);
  inside_parallel_for = false;
  if (!ran) return body(0, count);
  if (job.error) std::rethrow_exception(job.error);
}

int thread_count() { return ThreadPool::instance().limit(); }
void set_thread_count(int count) { ThreadPool::instance().set_limit(count); }

}  // namespace limen
