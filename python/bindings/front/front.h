// What `manycore run` needs before the program has asked for NumPy: the import hook's functions, the options, the program's start.
// The extension _front is made of it, without NumPy and nanobind; module.cpp calls what registers, once, at import, with the GIL.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace manycore::python {

bool register_call_at_top(PyObject* module);
bool register_user_import(PyObject* module);
bool register_user_compile(PyObject* module);
bool register_helpers(PyObject* module);

}  // namespace manycore::python
