// How a worker process tells of what a call raised: as concurrent.futures' workers do, unless its pool is one of multiprocessing's kind.
// With the GIL.
#pragma once

#include <Python.h>

#include "bindings/tasks/reference.h"

namespace manycore::python::tasks {

// An exception with the text of its traceback, as it travels. Null with an exception.
Reference wrapped(PyObject* exception);

// The exception that is sent in the place of `value`, a result or an exception, which cannot be pickled because of `why`. Null with an
// exception.
Reference unsendable(PyObject* why, PyObject* value, bool is_result);

// Is what is raised now none of the caller's business, but the end of this process, as sys.exit() in a call of multiprocessing.Pool?
bool raised_ends_worker();

// Was it Ctrl-C? That goes to all processes of a terminal at once, and the program may be about to cancel what waits behind this call:
// a moment to do so before this process begins it.
bool is_interrupt(PyObject* exception);
void leave_time_to_cancel();

}  // namespace manycore::python::tasks
