// Sleeping until a 32-bit word changes: the kernel's futex. A wait may end for no reason, so callers ask their condition again.
// Safe from any thread; a shared word may lie in memory of several processes. The words are the caller's and outlive the waits.
// (GCC 12's std::atomic::wait loses wake-ups: its bug 106772.)
#pragma once

#include <atomic>
#include <cstdint>

#include "manycore/export.h"

namespace manycore::os {

enum class FutexWait {
  woken,    // by futex_wake, or for no reason
  changed,  // the word did not hold `expected`
  timed_out,
  interrupted,  // a signal came
};

enum class FutexScope { process, shared };

inline constexpr uint32_t kFutexEveryBit = 0xffffffffu;
inline constexpr int kFutexEveryone = 0x7fffffff;

// Sleep while `word` holds `expected`, at most `timeout_nanoseconds` (negative: without limit) and until a wake-up whose bits meet
// `bits`. The word is read by the kernel after this thread counts as a sleeper: who changes it and then wakes is never missed.
MANYCORE_API FutexWait futex_wait(const std::atomic<uint32_t>& word, uint32_t expected, int64_t timeout_nanoseconds = -1,
                                  FutexScope scope = FutexScope::process, uint32_t bits = kFutexEveryBit);

// Wake at most `count` sleepers whose bits meet `bits`; answers how many it woke.
MANYCORE_API int futex_wake(const std::atomic<uint32_t>& word, int count = 1, FutexScope scope = FutexScope::process,
                            uint32_t bits = kFutexEveryBit);

}  // namespace manycore::os
