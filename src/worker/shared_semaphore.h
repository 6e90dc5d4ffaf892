// A semaphore that processes share: places, of which who acquires takes one. Lies in a cell (shared_cells.h).
// It keeps who has acquired last, a process and a thread of it, so that others can tell who holds a lock, and whether it has died.
// A process that is woken and dies before it takes its place costs the others at most kSlice.
// Any thread of any process. Memory order: acquiring acquires what releasing has released.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>

#include "manycore/export.h"
#include "os/futex.h"

namespace manycore::worker {

struct SharedSemaphore {
  static constexpr int64_t kSlice = 100'000'000;  // nanoseconds

  std::atomic<uint32_t> places;
  std::atomic<uint32_t> asleep;
  std::atomic<int32_t> owner_process;  // 0: nobody has it, or it has more than one place
  std::atomic<int32_t> owner_thread;
  uint32_t most;

  bool try_acquire(int32_t process, int32_t thread) {
    uint32_t free = places.load(std::memory_order_relaxed);
    while (free > 0) {
      if (!places.compare_exchange_weak(free, free - 1, std::memory_order_acquire, std::memory_order_relaxed)) continue;
      if (most == 1) set_owner(process, thread);
      return true;
    }
    return false;
  }
  // False where nobody has one.
  MANYCORE_API bool release();
  // Until there may be a place, or the time is up, or a signal has come; at most kSlice.
  MANYCORE_API os::FutexWait wait(int64_t nanoseconds);
  // The process that holds the one place, where it has ended; else 0.
  MANYCORE_API pid_t dead_owner() const;
  // The place that a dead process has held becomes the caller's; false where somebody else was quicker.
  MANYCORE_API bool take_from(pid_t dead, int32_t process, int32_t thread);

 private:
  void set_owner(int32_t process, int32_t thread) {
    owner_thread.store(thread, std::memory_order_relaxed);
    owner_process.store(process, std::memory_order_release);
  }
};
static_assert(sizeof(SharedSemaphore) <= 64);

}  // namespace manycore::worker
