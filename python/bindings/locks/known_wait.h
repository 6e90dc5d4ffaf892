// A wait whose end we know the rules of: a thread that waits for a lock, a future, the end of a thread and so on, without a time limit. As
// long as the record lives on the thread's stack, the search for deadlocks (deadlocks.h) sees it; it costs two stores to begin and to end.
//
// Nobody watches waits that are short. A thread that has slept for a moment looks up now and then without the GIL, and of all those that
// do, one at a time takes the GIL and searches for all. All functions need the GIL.
#pragma once

#include <Python.h>

#include <cstdint>

#include "os/clock.h"
#include "sync/threads.h"
#include "task/waiter.h"

namespace manycore::python::locks {

// The record of the calling thread.
extern thread_local constinit manycore::sync::Thread* here __attribute__((tls_model("initial-exec")));
manycore::sync::Thread* enter_here();
inline manycore::sync::Thread* this_thread() { return here != nullptr ? here : enter_here(); }

enum class Kind : uint8_t { lock, rlock, join, future, map, condition, event, semaphore };

class KnownWait : public manycore::sync::Wait {
 public:
  KnownWait(Kind kind, PyObject* thing) : Wait(*this_thread()), kind(kind), thing(thing) {}

  // What the message says of who could end it.
  const Kind kind;
  PyObject* const thing;  // the lock, future, thread...; borrowed: who waits holds it

  // Where it sleeps, while it does. unlink(owner, waiter) as of sleep_on(); null where nobody may wake it but what it waits for.
  task::Waiter* waiter = nullptr;
  bool (*unlink)(void* owner, task::Waiter& waiter) = nullptr;
  void* owner = nullptr;

  void sleeps(task::Waiter& on, bool (*unlinks)(void*, task::Waiter&), void* whose) {
    waiter = &on;
    unlink = unlinks;
    owner = whose;
    if (since == 0) since = os::now_nanoseconds();
  }

  // Something has woken it that will show once it has the GIL.
  bool is_over() const { return waiter != nullptr && waiter->is_done(); }

  // The exception that ends the wait, once somebody has chosen it as the victim; raised by whoever slept.
  PyObject* verdict = nullptr;
  bool condemned = false;  // that has happened
  bool spared = false;     // who waits could not leave in order: another one is chosen
  int64_t judged = 0;      // when somebody looked at it last and left it, and for how long it is left alone
  int64_t left_alone = 0;

 protected:
  ~KnownWait() { Py_XDECREF(verdict); }
};

// Is anybody to search for deadlocks?
bool is_watching();

// When a sleeping thread looks up. In turn with others, so that a search comes ten times a second, or twice where nothing has changed.
class LookUp {
 public:
  // `wait` may be null: never.
  explicit LookUp(const KnownWait* wait);
  ~LookUp();
  LookUp(const LookUp&) = delete;
  LookUp& operator=(const LookUp&) = delete;

  // A point of the monotonic clock; negative: never.
  int64_t next() const { return next_; }
  // Without the GIL: the moment has come; is it this thread's turn to search?
  bool is_my_turn();

 private:
  int64_t next_ = -1;
  bool counted_ = false;
};

// In a child of fork.
void forget_sleepers();

// With the verdict of the wait set as the exception: true where there is one.
bool raise_verdict(KnownWait* wait);

}  // namespace manycore::python::locks
