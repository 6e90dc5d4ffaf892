// Waiting for a future with the GIL released. Signals are handled meanwhile: Ctrl-C ends the wait at once.
#pragma once

#include <Python.h>

#include <cstdint>

#include "task/waiter.h"

namespace manycore::python::locks {
class KnownWait;
}

namespace manycore::python::tasks {

// A timeout in seconds, or None, as a point of the monotonic clock in nanoseconds (-1: none). False with an exception.
bool deadline_of(PyObject* timeout, int64_t* deadline);

// 1: the future is done, 0: it was not at the deadline, -1: an exception was raised.
int wait_until_done(PyObject* future, int64_t deadline);

// The same for a record that the caller has put where somebody will find and wake it. unlink(owner, waiter) takes it away from there
// and answers false where it has been taken already, so that done() is certain to come. `known`: what the search for deadlocks is to know
// of it, or null; its verdict is the exception then.
int sleep_on(task::Waiter& waiter, int64_t deadline, bool (*unlink)(void* owner, task::Waiter& waiter), void* owner,
             locks::KnownWait* known = nullptr);

}  // namespace manycore::python::tasks
