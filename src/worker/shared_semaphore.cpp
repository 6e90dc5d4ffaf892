#include "worker/shared_semaphore.h"

#include <algorithm>

#include "os/process.h"
#include "sched/spin.h"

namespace manycore::worker {
namespace {

sched::SpinHistory history;

}  // namespace

bool SharedSemaphore::release() {
  if (most == 1) owner_process.store(0, std::memory_order_relaxed);
  uint32_t free = places.load(std::memory_order_relaxed);
  do {
    if (free >= most) return false;
  } while (!places.compare_exchange_weak(free, free + 1, std::memory_order_seq_cst, std::memory_order_relaxed));
  // Set again where somebody was woken, for there may be others.
  if (asleep.load(std::memory_order_seq_cst) != 0 && asleep.exchange(0, std::memory_order_seq_cst) != 0 &&
      os::futex_wake(places, 1, os::FutexScope::shared) > 0)
    asleep.store(1, std::memory_order_seq_cst);
  return true;
}

os::FutexWait SharedSemaphore::wait(int64_t nanoseconds) {
  {
    sched::Spin spin(history, 5'000);
    while (spin.again()) {
      if (places.load(std::memory_order_relaxed) == 0) continue;
      spin.found();
      return os::FutexWait::changed;
    }
  }
  asleep.store(1, std::memory_order_seq_cst);
  return os::futex_wait(places, 0, std::min(nanoseconds, kSlice), os::FutexScope::shared);
}

pid_t SharedSemaphore::dead_owner() const {
  const pid_t owner = owner_process.load(std::memory_order_acquire);
  return owner != 0 && places.load(std::memory_order_relaxed) == 0 && os::is_gone(owner) ? owner : 0;
}

bool SharedSemaphore::take_from(pid_t dead, int32_t process, int32_t thread) {
  int32_t expected = dead;
  if (!owner_process.compare_exchange_strong(expected, process, std::memory_order_acq_rel)) return false;
  owner_thread.store(thread, std::memory_order_relaxed);
  return true;
}

}  // namespace manycore::worker
