// The C type `Future`, derived from concurrent.futures.Future: a task's future costs a tenth of the standard's, since its condition,
// waiters and callbacks come into being when somebody touches them. From then on every change takes the condition, as the standard
// does, so that wait(), as_completed(), asyncio and dask work on it. Its state changes once, under the GIL.
//
// Threads that wait in result() are records on their stacks (task/waiter.h), which who completes the future wakes: at once, or, if
// it is about to let go of the GIL, after that (Wakeups), since they cannot go on before. All functions need the GIL.
#pragma once

#include <Python.h>

#include <cstdint>

#include "bindings/tasks/future_source.h"
#include "task/waiter.h"

namespace manycore::python::tasks {

enum class FutureState : uint8_t { kPending, kRunning, kCancelled, kCancelledAndNotified, kFinished };

class RunningHere;

struct FutureFields {
  // The first five are known to CPython as members of the type, so that its own traverse, clear and dealloc care for them.
  PyObject* result;     // null: None
  PyObject* exception;  // null: None
  PyObject* condition;  // null until touched, so are the next two
  PyObject* waiters;
  PyObject* callbacks;
  task::Waiter* sleepers;
  FutureSource* source;  // null where the outcome is put here without being asked for, and when it is there
  void* source_call;     // the source's own
  RunningHere* running;  // where a thread of this process runs it, that thread's (stop_call.h)
  FutureState state;
  bool set_by_hand;  // somebody assigned `_state`: the other fields are whole only when the condition is free
};

// How far behind the object's head the fields begin: what the base type needs of its own.
extern Py_ssize_t future_fields_offset;
extern PyTypeObject* future_type;

inline FutureFields& fields_of(PyObject* future) {
  return *reinterpret_cast<FutureFields*>(reinterpret_cast<char*>(future) + future_fields_offset);
}
inline bool has_callbacks(const FutureFields& fields) {
  return fields.callbacks != nullptr && (!PyList_CheckExact(fields.callbacks) || PyList_GET_SIZE(fields.callbacks) > 0);
}
// The state may have changed unseen.
void look(PyObject* future);
inline bool is_done(const FutureFields& fields) { return fields.state >= FutureState::kCancelled; }

// Threads to wake once the GIL is free. wake() needs no GIL and must come soon.
class Wakeups {
 public:
  Wakeups() = default;
  Wakeups(const Wakeups&) = delete;
  Wakeups& operator=(const Wakeups&) = delete;
  ~Wakeups() { wake(); }
  void add(task::Waiter* list);
  void wake();
  bool empty() const { return first_ == nullptr; }

 private:
  task::Waiter* first_ = nullptr;
};

// A pending future; null with MemoryError.
PyObject* new_future();

// These answer -1 with an exception set; a future that is done already raises InvalidStateError. `later` takes the sleeping threads,
// unless callbacks have to run, which may take long; null wakes them here.
int set_result(PyObject* future, PyObject* result, Wakeups* later = nullptr);
int set_exception(PyObject* future, PyObject* exception, Wakeups* later = nullptr);
// For a task that was told to stop while it ran, and did.
int set_cancelled(PyObject* future, Wakeups* later = nullptr);
// 1: it runs now; 0: it was cancelled, and who waits has been told.
int set_running_or_notify_cancel(PyObject* future);
// 1: it is cancelled (now or before), 0: it runs or is finished.
int cancel(PyObject* future);

// As the standard logs what a callback raised.
void log_failed_callback(PyObject* future, PyObject* exception);
// concurrent.futures._base.LOGGER.critical(text, exc_info=exception); errors of the logging itself are unraisable.
void log_critical(const char* text, PyObject* exception);

}  // namespace manycore::python::tasks
