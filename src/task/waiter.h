// One thread that waits for one thing to be done: it spins shortly, then sleeps on its own word. The record lies on the waiting
// thread's stack and is linked into a list of whoever completes the thing, who guards that list (Python's futures: the GIL).
// done() is the last access to the record: after it the waiting thread may return at any time.
// Memory order: what was written before done() is seen by the thread that wait() returned true to.
#pragma once

#include <atomic>
#include <cstdint>

#include "manycore/export.h"

namespace manycore::task {

class Waiter {
 public:
  enum class Ended { done, timed_out, interrupted };

  // Wait until `deadline` of the monotonic clock (negative: without limit), spinning first where asked to. May be called
  // again after it ended early.
  MANYCORE_API Ended wait(int64_t deadline, bool spin = true);
  // Waits for a done() that is certain to come within microseconds.
  MANYCORE_API void wait_for_promised();
  // From any thread, once.
  MANYCORE_API void done();

  bool is_done() const { return word_.load(std::memory_order_acquire) == kDone; }

  Waiter* next = nullptr;

 private:
  static constexpr uint32_t kAwake = 0, kAsleep = 1, kDone = 2;
  std::atomic<uint32_t> word_{kAwake};
};

}  // namespace manycore::task
