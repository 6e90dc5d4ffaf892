// How a future's state changes: under the GIL, and under its condition once somebody has touched that.
#include "bindings/tasks/future_object.h"
#include "bindings/tasks/may_wait.h"
#include "bindings/tasks/reference.h"
#include "bindings/tasks/standard.h"

namespace manycore::python::tasks {
namespace {

// The future's condition for as long as this lives, where it has one. Without one nothing between here and the change of the state
// lets another thread run.
class Holding {
 public:
  explicit Holding(const FutureFields& fields) : condition_(Reference::to(fields.condition)) {}
  Holding(const Holding&) = delete;
  Holding& operator=(const Holding&) = delete;

  bool acquire() {
    if (!condition_) return true;
    const Reference answer(PyObject_CallMethodNoArgs(condition_.get(), names.acquire));
    held_ = static_cast<bool>(answer);
    return held_;
  }
  bool notify_all() {
    if (!condition_) return true;
    return static_cast<bool>(Reference(PyObject_CallMethodNoArgs(condition_.get(), names.notify_all)));
  }
  ~Holding() {
    if (!held_) return;
    PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
    PyErr_Fetch(&type, &value, &traceback);
    if (!Reference(PyObject_CallMethodNoArgs(condition_.get(), names.release))) PyErr_WriteUnraisable(condition_.get());
    PyErr_Restore(type, value, traceback);
  }

 private:
  Reference condition_;
  bool held_ = false;
};

bool tell_waiters(PyObject* future, PyObject* method) {
  const Reference waiters = Reference::to(fields_of(future).waiters);
  if (!waiters || !PyList_Check(waiters.get())) return true;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(waiters.get()); ++i) {
    const Reference waiter = Reference::to(PyList_GET_ITEM(waiters.get(), i));
    if (!Reference(PyObject_CallMethodOneArg(waiter.get(), method, future))) return false;
  }
  return true;
}

// In order; an Exception is logged, anything else ends it and is the caller's, but on a thread that serves others: there all run.
int run_callbacks(PyObject* future) {
  const Reference callbacks = Reference::to(fields_of(future).callbacks);
  if (!callbacks || !PyList_Check(callbacks.get())) return 0;
  const MayNotWait callback_runs;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(callbacks.get()); ++i) {
    const Reference callback = Reference::to(PyList_GET_ITEM(callbacks.get(), i));
    if (Reference(PyObject_CallOneArg(callback.get(), future))) continue;
    if (!PyErr_ExceptionMatches(PyExc_Exception) && !serves_others()) return -1;
    log_failed_callback(future, take_raised().get());
  }
  return 0;
}

int raise_invalid(PyObject* future) {
  PyErr_Format(standard.invalid_state_error, "%U: %R", standard.states[static_cast<int>(fields_of(future).state)], future);
  return -1;
}

void wake_sleepers(FutureFields& fields, Wakeups& wakeups) { wakeups.add(std::exchange(fields.sleepers, nullptr)); }

// `tell` is the method of waiters to call.
int finish(PyObject* future, FutureState state, PyObject* result, PyObject* exception, PyObject* tell, Wakeups* later) {
  FutureFields& fields = fields_of(future);
  Wakeups now;
  {
    Holding condition(fields);
    if (!condition.acquire()) return -1;
    if (is_done(fields)) return raise_invalid(future);
    const Reference before(std::exchange(fields.result, Py_XNewRef(result)));
    const Reference before_exception(std::exchange(fields.exception, Py_XNewRef(exception)));
    fields.state = state;
    fields.source = nullptr;
    wake_sleepers(fields, later != nullptr && !has_callbacks(fields) ? *later : now);
    if (!tell_waiters(future, tell)) return -1;
    if (!condition.notify_all()) return -1;
  }
  now.wake();
  return has_callbacks(fields) ? run_callbacks(future) : 0;
}

}  // namespace

void Wakeups::add(task::Waiter* list) {
  while (list != nullptr) {
    task::Waiter* next = list->next;
    list->next = first_;
    first_ = list;
    list = next;
  }
}

void Wakeups::wake() {
  while (first_ != nullptr) {
    task::Waiter* next = first_->next;
    first_->done();
    first_ = next;
  }
}

int set_result(PyObject* future, PyObject* result, Wakeups* later) {
  return finish(future, FutureState::kFinished, result, nullptr, names.add_result, later);
}

int set_exception(PyObject* future, PyObject* exception, Wakeups* later) {
  return finish(future, FutureState::kFinished, nullptr, exception == Py_None ? nullptr : exception, names.add_exception, later);
}

int set_cancelled(PyObject* future, Wakeups* later) {
  return finish(future, FutureState::kCancelledAndNotified, nullptr, nullptr, names.add_cancelled, later);
}

int set_running_or_notify_cancel(PyObject* future) {
  FutureFields& fields = fields_of(future);
  Holding condition(fields);
  if (!condition.acquire()) return -1;
  if (fields.state == FutureState::kPending) {
    fields.state = FutureState::kRunning;
    return 1;
  }
  if (fields.state == FutureState::kCancelled) {
    fields.state = FutureState::kCancelledAndNotified;
    return tell_waiters(future, names.add_cancelled) ? 0 : -1;
  }
  const Reference logged(PyObject_CallMethod(standard.logger, "critical", "sNO", "Future %s in unexpected state: %s",
                                             PyLong_FromVoidPtr(future), standard.states[static_cast<int>(fields.state)]));
  if (logged) PyErr_SetString(PyExc_RuntimeError, "Future in unexpected state");
  return -1;
}

void look(PyObject* future) {
  FutureFields& fields = fields_of(future);
  if (fields.source != nullptr) fields.source->look();
  if (fields.source != nullptr && fields.state == FutureState::kPending && fields.source->is_running(future)) {
    if (set_running_or_notify_cancel(future) < 0) PyErr_WriteUnraisable(future);
  }
}

int cancel(PyObject* future) {
  FutureFields& fields = fields_of(future);
  look(future);
  const bool withdrawn = fields.source != nullptr && !is_done(fields) && fields.source->withdraw(future);
  if (fields.source != nullptr && !is_done(fields) && !withdrawn) return 0;
  fields.source = nullptr;
  {
    Holding condition(fields);
    if (!condition.acquire()) return -1;
    if (fields.state == FutureState::kRunning || fields.state == FutureState::kFinished) return 0;
    if (is_done(fields)) return 1;
    fields.state = FutureState::kCancelled;
    Wakeups now;
    wake_sleepers(fields, now);
    if (!condition.notify_all()) return -1;
  }
  // Nobody else will find the task among those to run, so nobody else would tell.
  if (withdrawn && set_running_or_notify_cancel(future) < 0) return -1;
  return run_callbacks(future) == 0 ? 1 : -1;
}

void log_failed_callback(PyObject* future, PyObject* exception) {
  const Reference method(PyObject_GetAttrString(standard.logger, "error"));
  const Reference arguments(Py_BuildValue("(sO)", "exception calling callback for %r", future));
  const Reference keywords(Py_BuildValue("{sO}", "exc_info", exception));
  if (!method || !arguments || !keywords || !Reference(PyObject_Call(method.get(), arguments.get(), keywords.get()))) {
    PyErr_WriteUnraisable(future);
  }
}

void log_critical(const char* text, PyObject* exception) {
  const Reference method(PyObject_GetAttrString(standard.logger, "critical"));
  const Reference arguments(Py_BuildValue("(s)", text));
  const Reference keywords(Py_BuildValue("{sO}", "exc_info", exception));
  if (!method || !arguments || !keywords || !Reference(PyObject_Call(method.get(), arguments.get(), keywords.get()))) {
    PyErr_WriteUnraisable(nullptr);
  }
}

}  // namespace manycore::python::tasks
