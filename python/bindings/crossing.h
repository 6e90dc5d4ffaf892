// The front door's registrations: crossing.cpp (calls between a user's modules and libraries), arrival.cpp,
// unpickled.cpp, build_class.cpp, module_attribute.cpp, machine.cpp; module.cpp calls register_crossing alone. What needs no arrays
// stands in front/.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace manycore::python {
// A callable that crosses to `callee` and back; new reference.
PyObject* crossing_callee(PyObject* callee);

bool register_crossing(PyObject* module);  // and the others below
bool register_arrival(PyObject* module);
bool register_build_class(PyObject* module);
bool register_module_attribute(PyObject* module);
bool register_unpickled(PyObject* module);
bool register_machine(PyObject* module);
}  // namespace manycore::python
