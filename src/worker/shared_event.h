// How processes that share memory tell each other that something has changed: a count that goes up, and whether anybody sleeps on it. Lies
// in the shared memory, zeroed at first. Any thread of any process signals and waits; one that dies in between costs nobody a wake-up
// for longer than a wait's limit.
// Memory order: who waits reads the count, looks at what it waits for, says that it sleeps and sleeps while the count is the same; who
// signals changes things, then the count, then looks for sleepers (both with full fences).
#pragma once

#include <atomic>
#include <cstdint>

#include "os/futex.h"

namespace manycore::worker {

struct SharedEvent {
  std::atomic<uint32_t> count;
  std::atomic<uint32_t> asleep;

  uint32_t now() const { return count.load(std::memory_order_acquire); }

  void signal(int most) {
    count.fetch_add(1, std::memory_order_seq_cst);
    // Set again where somebody was woken, for there may be others.
    if (asleep.load(std::memory_order_seq_cst) != 0 && asleep.exchange(0, std::memory_order_seq_cst) != 0 &&
        os::futex_wake(count, most, os::FutexScope::shared) > 0)
      asleep.store(1, std::memory_order_seq_cst);
  }

  // Until the count is no longer `seen`.
  os::FutexWait wait(uint32_t seen, int64_t timeout_nanoseconds) {
    asleep.store(1, std::memory_order_seq_cst);
    return os::futex_wait(count, seen, timeout_nanoseconds, os::FutexScope::shared);
  }
};

}  // namespace manycore::worker
