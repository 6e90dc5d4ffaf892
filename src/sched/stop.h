// How the call that runs on a thread is told to stop, by another thread or another process: a word of memory and the value of it
// that means so. A thread's loops look at the sign that stands there when they begin (parallel.h), on all of their threads, and throw
// Stopped; so does every loop that begins later, until the scope ends. Threads that the call starts by itself have no sign.
// The scope belongs to the thread that makes it; the word may be written from anywhere.
#pragma once

#include <atomic>
#include <cstdint>

#include "manycore/export.h"

namespace manycore::sched {

struct StopSign {
  const std::atomic<uint64_t>* word;
  uint64_t value;
  const StopSign* outer = nullptr;  // of the call that this one runs in

  bool given() const {
    for (const StopSign* sign = this; sign != nullptr; sign = sign->outer) {
      if (sign->word->load(std::memory_order_relaxed) == sign->value) return true;
    }
    return false;
  }
};

// What stands on this thread; null outside of calls.
MANYCORE_API const StopSign* current_stop_sign();

class MANYCORE_API StopScope {
 public:
  StopScope(const std::atomic<uint64_t>& word, uint64_t value);
  ~StopScope();
  StopScope(const StopScope&) = delete;
  StopScope& operator=(const StopScope&) = delete;

  bool given() const { return sign_.given(); }

 private:
  StopSign sign_;
};

[[noreturn]] MANYCORE_API void throw_stopped();

// Throws Stopped where the sign is given; null is none.
inline void obey(const StopSign* sign) {
  if (sign != nullptr && sign->given()) throw_stopped();
}

}  // namespace manycore::sched
