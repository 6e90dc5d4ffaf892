// The part of the extension module manycore._tasks that manycore.threading is made of. Each function adds its types to the module and
// answers 0, or -1 with a Python error set. Called once, at import, with the GIL.
#pragma once

#include <Python.h>

namespace manycore::python::locks {

int add_locks(PyObject* module);

int add_lock_types(PyObject* module);
int add_lock_order(PyObject* module);
int add_deadlocks(PyObject* module);
int add_event_type(PyObject* module);
int add_semaphore_type(PyObject* module);
int add_ticket_type(PyObject* module);
int add_join(PyObject* module);

}  // namespace manycore::python::locks
