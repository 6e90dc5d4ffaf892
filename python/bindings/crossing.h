// The front door's registrations: crossing.cpp (calls between a user's modules and libraries), call_at_top.cpp, machine.cpp,
// user_import.cpp; module.cpp calls register_crossing alone.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace manycore::python {
bool register_crossing(PyObject* module);  // and the others below
bool register_call_at_top(PyObject* module);
bool register_machine(PyObject* module);
bool register_user_import(PyObject* module);
}  // namespace manycore::python
