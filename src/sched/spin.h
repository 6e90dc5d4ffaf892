// Looking again for at most 50 us before sleeping: `Spin spin(history); while (spin.again()) if (ready()) { spin.found(); return; }`.
// A thread that spins takes a core, so no more threads spin at once than there are cores; and where spinning has found nothing lately
// (work comes seldom, or the threads of other programs have the cores) it is left out, twice as often after each failure.
// Any thread; a Spin belongs to one thread, a History may be shared.
#pragma once

#include <atomic>
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

// Whether looking again has paid at one place.
struct SpinHistory {
  static constexpr uint32_t kMostFailures = 5;  // then 31 of 32 are left out
  std::atomic<uint32_t> failures{0};
  std::atomic<uint32_t> left_out{0};
};

class Spin {
 public:
  // At most `nanoseconds` long; 0: not at all.
  MANYCORE_API explicit Spin(SpinHistory& history, int64_t nanoseconds = kSpinNanoseconds);
  MANYCORE_API ~Spin();
  Spin(const Spin&) = delete;
  Spin& operator=(const Spin&) = delete;

  // A short pause, then true while it is worth to look once more.
  bool again() {
    if (!allowed_) return false;
    relax();
    return ++rounds_ % kRoundsPerLook != 0 || before_end();
  }
  void found() { found_ = true; }

 private:
  // A look at the clock costs as much as some rounds.
  static constexpr uint32_t kRoundsPerLook = 16;
  MANYCORE_API bool before_end();

  SpinHistory& history_;
  bool allowed_ = false;
  bool found_ = false;
  uint32_t rounds_ = 0;
  int64_t end_ = 0;
  int64_t nanoseconds_;
};

// How many may spin at once. Asks the machine the first time, which must not be while the program may fork: the child would wait
// for a thread that it has not got.
MANYCORE_API int most_spinning_threads();
// How many threads spin now. A child of a fork has none but its own.
MANYCORE_API int spinning_threads();
MANYCORE_API void forget_spinning_threads();

}  // namespace manycore::sched
