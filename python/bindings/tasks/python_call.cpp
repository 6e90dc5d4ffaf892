#include "bindings/tasks/python_call.h"

#include "bindings/gil.h"
#include "bindings/tasks/call_options.h"
#include "bindings/tasks/reference.h"
#include "bindings/tasks/standard.h"
#include "bindings/tasks/stop_call.h"
#include "bindings/tasks/task_report.h"

namespace manycore::python::tasks {
namespace {

// May letting go of this run code of the user's (a finalizer), which could wait for somebody who waits for us?
bool goes_quietly(PyObject* object) {
  return Py_REFCNT(object) > 1 || PyLong_CheckExact(object) || PyFloat_CheckExact(object) || PyUnicode_CheckExact(object) ||
         PyBytes_CheckExact(object);
}

bool goes_quietly(const PythonCall& call) {
  if (!goes_quietly(call.callable)) return false;
  for (Py_ssize_t i = 0; i < call.count; ++i) {
    if (!goes_quietly(call.arguments[i])) return false;
  }
  return true;
}

Reference call_in_context(PythonCall& call) {
  if (call.context != nullptr && PyContext_Enter(call.context) < 0) return {};
  const Py_ssize_t positional = call.count - (call.keywords == nullptr ? 0 : PyTuple_GET_SIZE(call.keywords));
  Reference result(or_stop_thread([&] {
    const size_t count = static_cast<size_t>(positional) | PY_VECTORCALL_ARGUMENTS_OFFSET;
    return PyObject_Vectorcall(call.callable, call.arguments, count, call.keywords);
  }));
  if (call.context != nullptr && PyContext_Exit(call.context) < 0) return {};
  Py_CLEAR(call.context);
  return result;
}

void log_if_raised(int status) {
  if (status < 0) log_critical("Exception in worker", take_raised().get());
}

}  // namespace

PythonCall* make_call(PyObject* future, PyObject* context, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  const Py_ssize_t all = count - 1 + (keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords));
  void* memory = PyMem_Malloc(sizeof(PythonCall) + static_cast<size_t>(all) * sizeof(PyObject*));
  if (memory == nullptr) {
    PyErr_NoMemory();
    return nullptr;
  }
  auto* call = new (memory) PythonCall{
      {}, Py_NewRef(future), Py_XNewRef(context), Py_XNewRef(keywords), all, time_for_report(), {}, Py_NewRef(args[0]), {}};
  if (locks::watches_order) [[unlikely]]
    call->made = locks::current_place();
  for (Py_ssize_t i = 0; i < all; ++i) call->arguments[i] = Py_NewRef(args[1 + i]);
  return call;
}

void free_call(PythonCall* call) {
  Py_DECREF(call->callable);
  for (Py_ssize_t i = 0; i < call->count; ++i) Py_DECREF(call->arguments[i]);
  Py_XDECREF(call->keywords);
  Py_XDECREF(call->context);
  Py_DECREF(call->future);
  Py_XDECREF(call->made.code);
  if (call->order != nullptr) [[unlikely]]
    free_options(call->order);
  PyMem_Free(call);
}

void run_call(PythonCall* call, Wakeups& later) {
  if (call->order != nullptr) [[unlikely]] {
    if (const Reference late = lateness(*call->order, call->callable)) return fail_call(call, late.get());
  }
  const int runs = set_running_or_notify_cancel(call->future);
  log_if_raised(runs);
  if (runs == 1) {
    Reference result;
    bool was_told;
    {
      const TaskTime time(Place::kThread, call->submitted);
      const RunningHere running(call->future, call);
      result = call_in_context(*call);
      was_told = running.was_told();
    }
    const Reference raised = result ? Reference() : take_raised();
    Wakeups* wakeups = goes_quietly(*call) ? &later : nullptr;
    if (was_told && raised && PyErr_GivenExceptionMatches(raised.get(), standard.cancelled_error) != 0) {
      log_if_raised(set_cancelled(call->future, wakeups));
    } else {
      log_if_raised(result ? set_result(call->future, result.get(), wakeups)
                           : set_exception(call->future, raised.get(), wakeups));
    }
  }
  free_call(call);
}

void fail_call(PythonCall* call, PyObject* exception) {
  if (fields_of(call->future).state == FutureState::kPending) {
    log_if_raised(set_exception(call->future, exception));
  } else {
    log_if_raised(set_running_or_notify_cancel(call->future));
  }
  free_call(call);
}

void cancel_call(PythonCall* call) {
  log_if_raised(cancel(call->future));
  if (fields_of(call->future).state == FutureState::kCancelled) log_if_raised(set_running_or_notify_cancel(call->future));
  free_call(call);
}

}  // namespace manycore::python::tasks
