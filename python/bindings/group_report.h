// The groups that were kept (trace/groups.h) for Python. Needs the GIL.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace manycore::python {

// Adds kinds, lanes and passes to the dict; false with a Python exception set.
bool add_group_report(PyObject* snapshot);

}  // namespace manycore::python
