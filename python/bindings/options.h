// The options table for Python, in both extensions that `manycore run` needs: before there is NumPy, and with it.
#pragma once

#include <Python.h>

namespace manycore::python {

bool register_options(PyObject* module);

// A new level starts with the engine's own mathematics. Each extension has its own answer.
void simd_level_changed();

}  // namespace manycore::python
