// Waiting for a future with the GIL released. Signals are handled meanwhile: Ctrl-C ends the wait at once.
#pragma once

#include <Python.h>

namespace manycore::python::tasks {

// A timeout in seconds, or None, as a point of the monotonic clock in nanoseconds (-1: none). False with an exception.
bool deadline_of(PyObject* timeout, int64_t* deadline);

// 1: the future is done, 0: it was not at the deadline, -1: an exception was raised.
int wait_until_done(PyObject* future, int64_t deadline);

}  // namespace manycore::python::tasks
