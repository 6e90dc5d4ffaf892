#include "task/waiter.h"

#include "os/clock.h"
#include "os/futex.h"
#include "sched/spin.h"

namespace manycore::task {

Waiter::Ended Waiter::wait(int64_t deadline, bool spin) {
  // What a thread waits for now is most often like what it waited for before.
  thread_local sched::SpinHistory history;
  {
    sched::Spin looks(history, spin ? sched::kSpinNanoseconds : 0);
    while (looks.again()) {
      if (!is_done()) continue;
      looks.found();
      return Ended::done;
    }
  }
  uint32_t awake = kAwake;
  if (!word_.compare_exchange_strong(awake, kAsleep, std::memory_order_acq_rel) && awake == kDone) return Ended::done;
  while (!is_done()) {
    int64_t left = -1;
    if (deadline >= 0) {
      left = deadline - os::now_nanoseconds();
      if (left <= 0) return Ended::timed_out;
    }
    const os::FutexWait why = os::futex_wait(word_, kAsleep, left);
    if (why == os::FutexWait::interrupted && !is_done()) return Ended::interrupted;
  }
  return Ended::done;
}

void Waiter::wait_for_promised() {
  while (wait(-1, false) != Ended::done) {
  }
}

void Waiter::done() {
  if (word_.exchange(kDone, std::memory_order_acq_rel) == kAsleep) os::futex_wake(word_);
}

}  // namespace manycore::task
