// A Python callable with its arguments, waiting for a thread: what submit() puts into a pool's queue. Made, run and freed with the GIL.
#pragma once

#include <Python.h>

#include "bindings/locks/lock_order.h"
#include "bindings/tasks/future_object.h"
#include "task/queue.h"

namespace manycore::python::tasks {

struct PythonCall : task::Call {
  PyObject* future;
  PyObject* context;   // the task runs in it; null: in the thread's own
  PyObject* keywords;  // names of the last arguments, a tuple or null
  Py_ssize_t count;    // arguments of both kinds
  int64_t submitted;   // when, where a report is kept
  locks::MadeAt made;  // where, while that is watched
  PyObject* callable;
  PyObject* arguments[1];  // as many as `count` says; the callable before them is the slot that a vector call may borrow
};

// The arguments are those of submit(): the callable and what follows, with the names of keywords. Null with an exception.
PythonCall* make_call(PyObject* future, PyObject* context, PyObject* const* args, Py_ssize_t count, PyObject* keywords);
void free_call(PythonCall* call);

// Runs it, unless it was cancelled, completes its future and frees it. Threads that wait for the future may be left in `later`, to be
// woken soon. Exceptions that nobody takes are logged.
void run_call(PythonCall* call, Wakeups& later);

// For calls that never run: the future gets the exception, unless it was cancelled.
void fail_call(PythonCall* call, PyObject* exception);
void cancel_call(PythonCall* call);

}  // namespace manycore::python::tasks
