// ProcessCore as a Python object, for the executor's base (process_pool.cpp). With the GIL.
#pragma once

#include "bindings/tasks/process_core.h"

namespace manycore::python::tasks {

bool is_core(PyObject* object);
// A vector call of submit(fn, /, *args, **kwargs) with the options of pool.options(), or null. The future, or null with an exception.
PyObject* submit_call(PyObject* core_object, PyObject* described, PyObject* const* args, Py_ssize_t count, PyObject* names);

}  // namespace manycore::python::tasks
