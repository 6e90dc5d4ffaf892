// A doorbell: how one process tells another that there is something to read, without a system call while that one is awake.
// A word in shared memory holds one bit per sleeper. Who is about to sleep sets its bit, looks once more, and sleeps while the word
// stays as it is; who has written something looks at the word and, where a bit is set, clears it and wakes that sleeper alone.
// Memory order: both sides put a full fence between their write and their look (the sleeper: bit, then ring; the ringer: ring, then
// bit), so one of them sees the other's; a bell that is rung is never missed. Any thread rings; one thread at a time waits per bit.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstdint>

#include "manycore/export.h"
#include "os/clock.h"
#include "os/futex.h"

namespace manycore::worker {

using Bell = std::atomic<uint32_t>;

// Wake who sleeps for one of `bits`, if anybody does; answers whether it made the system call.
MANYCORE_API bool ring(Bell& bell, uint32_t bits);

enum class Waited { ready, timed_out, interrupted };

// Sleep under `bit` until ready() or until `timeout_nanoseconds` have passed (negative: for ever); a signal ends it too.
template <class Ready>
Waited sleep_until(Bell& bell, uint32_t bit, int64_t timeout_nanoseconds, Ready&& ready) {
  const int64_t end = timeout_nanoseconds < 0 ? 0 : os::now_nanoseconds() + timeout_nanoseconds;
  Waited result = Waited::ready;
  for (;;) {
    const uint32_t before = bell.fetch_or(bit, std::memory_order_seq_cst) | bit;
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (ready()) break;
    int64_t left = -1;
    if (timeout_nanoseconds >= 0 && (left = end - os::now_nanoseconds()) <= 0) {
      result = Waited::timed_out;
      break;
    }
    const os::FutexWait woken = os::futex_wait(bell, before, left, os::FutexScope::shared, bit);
    if (woken == os::FutexWait::interrupted && !ready()) {
      result = Waited::interrupted;
      break;
    }
  }
  bell.fetch_and(~bit, std::memory_order_relaxed);
  return result;
}

// Waiting awake for a moment. The first microseconds belong to this thread; from then on it offers its core at every look, because
// the other side may have been woken onto the same core (measured: without that a round trip costs 57 us instead of 0.5).
// A thread that loses its core for long has learnt that others want it, and sleeps at once for the next few times.
// Nor does it try when the last wait was a long one: spinning then only keeps the core from the side that was just woken.
// One per waiting thread.
class MANYCORE_API Spinner {
 public:
  static constexpr int64_t kLongest = 50'000;  // nanoseconds

  template <class Ready>
  bool spin_until(Ready&& ready) {
    if (last_wait_ > kLongest) return ready();
    if (pause_ > 0 || !cores_suffice()) {
      if (pause_ > 0) --pause_;
      return ready();
    }
    const int64_t begin = os::now_nanoseconds();
    for (int64_t last = begin;;) {
      for (int i = 0; i < 16; ++i) {
        if (ready()) return true;
        relax();
      }
      if (last - begin > kOwn) sched_yield();
      const int64_t now = os::now_nanoseconds();
      if (now - last > kLostCore) pause_ = kPause;
      if (pause_ > 0 || now - begin > kLongest) return ready();
      last = now;
    }
  }

  // How long the wait took in the end, spinning and sleeping.
  void note_wait(int64_t nanoseconds) { last_wait_ = nanoseconds; }

 private:
  static constexpr int64_t kOwn = 1'000;
  static constexpr int64_t kLostCore = 200'000;
  static constexpr int kPause = 16;
  static bool cores_suffice();
  static void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  int64_t last_wait_ = 0;
  int pause_ = 0;
};

}  // namespace manycore::worker
