// The memory of NumPy's own arrays under the engine's account (numpy_memory.cpp), from the import of the extension on.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace manycore::python {

bool register_numpy_memory(PyObject* module);

// A call into NumPy has failed. A bare MemoryError behind which stands a refusal of the account gets the account's words;
// NumPy's own class for arrays finds them itself (manycore/out_of_memory.py).
void explain_memory_error();

}  // namespace manycore::python
