// The native methods of manycore.numpy.random.Generator; see random.cpp. Needs the GIL.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace manycore::python {

bool register_random(PyObject* module);

}  // namespace manycore::python
