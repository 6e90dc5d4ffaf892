// Who can complete a future that somebody waits for: for the search for deadlocks (bindings/locks/deadlocks.h). With the GIL.
#pragma once

#include <Python.h>

#include "sync/threads.h"

namespace manycore::python::tasks {

class PoolCore;

manycore::sync::Wakers wakers_of_future(PyObject* future);
// Of what the threads of this pool will do.
manycore::sync::Wakers wakers_in_pool(PoolCore& pool);
// Any of these, an iterable of futures; others than ours are completed by nobody knows whom.
manycore::sync::Wakers wakers_of_any(PyObject* futures);

// Lets the pool in which the call of this future, or of one of these, waits have a thread more, unless it has grown by `most` already; how
// many were started, -1 with an exception.
int grow_pool_of(PyObject* thing, int most);

int add_future_wakers(PyObject* module);

}  // namespace manycore::python::tasks
