// The engine's exceptions as Python's, for every extension. Needs the GIL.
#pragma once

#include <Python.h>

#include "manycore/errors.h"

namespace manycore::python {

// Inside of a catch clause: sets the Python exception for what was caught. `class_of` chooses the class of a user's error.
void set_engine_error(PyObject* (*class_of)(const UserError& error));

}  // namespace manycore::python
