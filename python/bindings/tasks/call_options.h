// What pool.options() says of a call: its place in the queue, its name, and the error where its time has passed before its turn came.
// Belongs to the call. With the GIL.
#pragma once

#include <Python.h>

#include "bindings/tasks/reference.h"
#include "task/queue.h"

namespace manycore::python::tasks {

struct CallOptions : task::Order {
  double seconds = 0;  // from submit to the latest start
  int retries = -1;    // in processes, where its worker dies; -1: the pool's
  Reference name;      // a str or None
  Reference error;     // error(function, name, seconds, late): the exception
  Reference site;      // in processes, where it was asked for: what caller() answered; null or None: where it is submitted
};

// From the tuple (priority, deadline in seconds or None, name, error, retries or None[, site]) of manycore/futures/options.py; its time begins now. Null with an
// exception.
CallOptions* make_options(PyObject* described);
inline void free_options(task::Order* order) { delete static_cast<CallOptions*>(order); }

// The exception for a call whose turn came so late.
Reference late_error(const CallOptions& options, PyObject* function, int64_t nanoseconds_late);
// The same for a call that shall not begin any more; null where it may.
Reference lateness(const task::Order& order, PyObject* function);

}  // namespace manycore::python::tasks
