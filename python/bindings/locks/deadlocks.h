// The search for deadlocks over all known waits of this process. A closed set of waits on what has one owner each is certain; one that
// also has locks, events or conditions in it, which any thread may set free, is suspected, and only where nobody is left to do so. What
// to do about it is for manycore/threading/deadlock.py to say, which is called with each circle and may answer an exception for its
// youngest wait. All with the GIL.
#pragma once

#include <Python.h>

#include "bindings/locks/known_wait.h"

namespace manycore::python::locks {

// Whatever closed sets there are now, each told once. Raises nothing. Another thread may run meanwhile.
void search_for_deadlocks();

extern PyObject* deadlock_error;

}  // namespace manycore::python::locks
