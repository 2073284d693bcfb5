// Which of several equivalent ways is fastest, learned from calls that have to be made anyway: each way takes its turn,
// events stand around it, and nothing ever waits for them.

#pragma once

#include <cuda_runtime_api.h>

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "cuda_check.h"

namespace limen {

// Not for several threads at once. Calls under capture must not come here: what they record is not run.
class Trial {
 public:
  // Begins after `patience` calls: a kind of call that does not come back is not worth trying out.
  Trial(int ways, int patience) : ways_(ways), patience_(patience) {}
  ~Trial() {
    for (Turn& turn : turns_) discard(turn);
  }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  // The way for a call that is not tried out: the fastest known, the first until then.
  int best() const { return best_; }

  // Runs `call(way)`, which enqueues work on the stream, with the way whose turn it is.
  template <typename Call>
  void run(cudaStream_t stream, Call call) {
    if (settled_) return call(best_);
    if (patience_ > 0) {
      --patience_;
      return call(best_);
    }
    collect();
    const int way = next();
    if (way < 0) return call(best_);
    Turn turn = {way, nullptr, nullptr};
    LIMEN_CUDA_CHECK(cudaEventCreate(&turn.start));
    LIMEN_CUDA_CHECK(cudaEventCreate(&turn.end));
    LIMEN_CUDA_CHECK(cudaEventRecord(turn.start, stream));
    call(way);
    LIMEN_CUDA_CHECK(cudaEventRecord(turn.end, stream));
    turns_.push_back(turn);
    ++ways_[way].begun;
  }

 private:
  struct Turn {
    int way;
    cudaEvent_t start, end;
  };
  struct Way {
    int begun = 0, ended = 0;
    float fastest = 0.0f;  // milliseconds
  };
  static constexpr int kTurns = 4;

  static void discard(Turn& turn) {
    cudaEventDestroy(turn.start);
    cudaEventDestroy(turn.end);
  }
  // Takes down the times of turns that are over.
  void collect() {
    while (!turns_.empty()) {
      if (cudaEventQuery(turns_.front().end) != cudaSuccess) {
        cudaGetLastError();  // an event that is not ready is no error
        return;
      }
      Turn turn = turns_.front();
      turns_.pop_front();
      float milliseconds = 0.0f;
      if (cudaEventElapsedTime(&milliseconds, turn.start, turn.end) == cudaSuccess) {
        Way& way = ways_[turn.way];
        way.fastest = way.ended++ == 0 ? milliseconds : std::min(way.fastest, milliseconds);
      }
      discard(turn);
    }
  }
  // The way with the fewest turns, or -1 when all have had theirs. Settles when the last one is over.
  int next() {
    int chosen = 0;
    for (int way = 1; way < static_cast<int>(ways_.size()); ++way) {
      if (ways_[way].begun < ways_[chosen].begun) chosen = way;
    }
    if (ways_[chosen].begun < kTurns) return chosen;
    if (!turns_.empty()) return -1;
    for (int way = 1; way < static_cast<int>(ways_.size()); ++way) {
      if (ways_[way].ended > 0 && ways_[way].fastest < ways_[best_].fastest) best_ = way;
    }
    settled_ = true;
    return -1;
  }

  std::vector<Way> ways_;
  std::deque<Turn> turns_;
  int patience_;
  int best_ = 0;
  bool settled_ = false;
};

}  // namespace limen
