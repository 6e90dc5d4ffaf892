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

// Lets the pool that this future's call waits in have so many more threads; how many were started, -1 with an exception.
int grow_pool_of(PyObject* future, int most);

int add_future_wakers(PyObject* module);

}  // namespace manycore::python::tasks
