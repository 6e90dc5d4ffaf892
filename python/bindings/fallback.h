// Calls that NumPy answers for us (call_fallback is declared in array_object.h). All convert arguments and results with
// RealValues; they differ in what is counted.
#pragma once

#include "bindings/array_object.h"

namespace manycore::python {

// The engine has refused the arguments with a user's error: NumPy raises its own exception, word for word. Where it does not
// raise after all, its answer stands and is counted as a fallback.
PyObject* retry_with_numpy(PyObject* function, PyObject* const* args, size_t nargsf, PyObject* kwnames, const char* name,
                           const char* reason);

// No fallback: conversions of Python objects, overrides of other types, questions about dtypes. Not counted.
PyObject* call_numpy(PyObject* function, PyObject* const* args, size_t nargsf, PyObject* kwnames);

}  // namespace manycore::python
