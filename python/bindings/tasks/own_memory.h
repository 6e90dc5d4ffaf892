// Memory of the engine's pool as a Python object with a writable buffer: what large bytes are copied into that came from another process.
// Used pages come back, which spares most of a copy's time. With the GIL.
#pragma once

#include <Python.h>

#include "bindings/tasks/reference.h"

namespace manycore::python::tasks {

// Null with an exception. `data`: where it begins.
Reference own_memory(int64_t bytes, void** data);

int add_own_memory_type(PyObject* module);

}  // namespace manycore::python::tasks
