// Exercises core/thread_pool.h; test/thread-pool.test.ts compiles and runs it. Prints what is wrong, or "ok".

#include "core/thread_pool.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <vector>

using limen::parallel_for;

void require(bool condition, const char* claim) {
  if (condition) return;
  std::printf("not true: %s\n", claim);
  std::exit(1);
}

void covers_every_item_once() {
  for (int round = 0; round < 3000; ++round) {
    const int64_t count = round % 1001;
    const int64_t grain = 1 + round % 7;
    std::vector<int> hits(static_cast<size_t>(count));
    std::atomic<bool> aligned{true};
    parallel_for(count, grain, [&](int64_t begin, int64_t end) {
      if (begin % grain != 0) aligned = false;
      for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
    });
    require(aligned, "pieces start at multiples of the grain");
    for (int hit : hits) require(hit == 1, "every item is visited once");
  }
}

void rethrows_in_the_caller() {
  bool caught = false;
  try {
    parallel_for(100, 1, [](int64_t, int64_t end) {
      if (end > 50) throw std::runtime_error("piece");
    });
  } catch (const std::runtime_error&) {
    caught = true;
  }
  require(caught, "an exception of a piece reaches the caller");
  std::atomic<int64_t> sum{0};
  parallel_for(100, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
  require(sum == 100, "the pool works on after an exception");
}

void accepts_nested_and_concurrent_calls() {
  std::atomic<int64_t> sum{0};
  const auto nested = [&] {
    for (int round = 0; round < 200; ++round) {
      parallel_for(8, 1, [&](int64_t begin, int64_t end) {
        parallel_for((end - begin) * 10, 1, [&](int64_t first, int64_t last) { sum += last - first; });
      });
    }
  };
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) callers.emplace_back(nested);
  for (std::thread& caller : callers) caller.join();
  require(sum == 4 * 200 * 80, "nested and concurrent calls visit every item once");
}

int main() {
  for (int threads : {1, 2, 5, 3}) {
    limen::set_thread_count(threads);
    require(limen::thread_count() == threads, "the number of threads is kept");
    covers_every_item_once();
    rethrows_in_the_caller();
    accepts_nested_and_concurrent_calls();
  }
  std::puts("ok");
}
