// The calls between a user's modules and libraries; see crossing.cpp. `register_crossing` itself is declared in
// array_object.h with the other registrations.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace manycore::python {
bool register_crossing(PyObject* module);  // registers the three rooms of the front door: this, user_frame, machine
bool register_machine(PyObject* module);
}  // namespace manycore::python
