// Who waits for what. Each thread that has used a lock, a future or another thing of ours has a record, and while it waits without a
// time limit a Wait stands in it; who can end a wait is asked of the Wait itself.
//
// Records last as long as the process and are used again: `serial` tells one thread from the next. Only `ended` may be set by the thread
// itself at any moment; everything else belongs to one caller at a time (Python: who holds the GIL).
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "manycore/export.h"

namespace manycore::sync {

struct Thread;

// Who can end a wait, as things stand.
struct Wakers {
  bool ready = false;        // it can go on at once, or nobody knows who ends it
  bool anyone = false;       // any thread that goes on
  bool exclusive = false;    // nobody but `threads`, by the rules of what is waited for; who breaks them gets an error
  bool cancellable = false;  // a call that has not begun, which somebody could cancel
  std::vector<Thread*> threads;
};

// One wait without a time limit; lies on the waiting thread's stack and begins and ends there.
class Wait {
 public:
  MANYCORE_API explicit Wait(Thread& thread);
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

  virtual Wakers wakers() const = 0;

  Thread& thread;
  Wait* const outer;      // a signal handler ran during that wait and waits itself
  const uint64_t serial;  // later ones have higher numbers
  int64_t since = 0;      // of the monotonic clock, where somebody has filled it in
  bool pauses = false;    // the thread runs something else at the moment: a signal handler
  bool was_told = false;  // this wait has been reported

 protected:
  MANYCORE_API ~Wait();
};

struct Held {
  uint64_t instance;
  uint64_t place;
};

struct Thread {
  uint64_t serial = 0;
  uint64_t name = 0;               // the system's, pthread_self
  std::atomic<bool> ended{false};  // or, in a child of fork, not there
  int64_t held = 0;                // locks
  Wait* wait = nullptr;            // the innermost
  const void* idle = nullptr;      // a pool's thread that has nothing to do: the pool
  std::vector<Held> order;         // locks in the order of taking them, while that is watched (order.h)
  Thread* next = nullptr;
};

// Another number after each begin and end of a wait.
MANYCORE_API uint64_t waits_version();
// How many waits there are. Any thread may ask.
MANYCORE_API int waits_now();

// The record of a thread that has none; of one that ended without a lock in its hands if there is one.
MANYCORE_API Thread* enter_thread(uint64_t name);
// The first of all records, those of ended threads too; the others follow by `next`.
MANYCORE_API Thread* first_thread();
// The living thread of that name, or null.
MANYCORE_API Thread* find_thread(uint64_t name);
// In a child of fork: only this thread is left.
MANYCORE_API void forget_other_threads(Thread* self);

}  // namespace manycore::sync
