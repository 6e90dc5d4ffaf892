// Looking again for at most 50 us before sleeping: `Spin spin; while (spin.again()) if (ready()) return;`.
// A thread that spins takes a core, so no more threads spin at once than there are cores to spare: the others sleep at once.
// Any thread; one object belongs to one thread.
#pragma once

#include <cstdint>

#include "manycore/export.h"

namespace manycore::sched {

inline constexpr int64_t kSpinNanoseconds = 50'000;

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

class Spin {
 public:
  // At most `nanoseconds` long.
  MANYCORE_API explicit Spin(int64_t nanoseconds = kSpinNanoseconds);
  MANYCORE_API ~Spin();
  Spin(const Spin&) = delete;
  Spin& operator=(const Spin&) = delete;

  // A short pause, then true while it is worth to look once more.
  bool again() {
    if (!allowed_) return false;
    relax();
    return ++rounds_ % kRoundsPerLook != 0 || before_end();
  }

 private:
  // A look at the clock costs as much as some rounds.
  static constexpr uint32_t kRoundsPerLook = 16;
  MANYCORE_API bool before_end();

  bool allowed_;
  uint32_t rounds_ = 0;
  int64_t end_ = 0;
  int64_t nanoseconds_;
};

// For tests and for children of a fork: how many threads spin now.
MANYCORE_API int spinning_threads();
MANYCORE_API void forget_spinning_threads();

}  // namespace manycore::sched
