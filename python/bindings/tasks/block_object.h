// A Python object over a block that another process sent: a writable buffer of this process's own. When the last view of it goes, the
// block goes back to its sender. With the GIL.
#pragma once

#include <Python.h>

#include <functional>

#include "bindings/tasks/reference.h"
#include "worker/private_block.h"

namespace manycore::python::tasks {

int add_block_type(PyObject* module);

// Null with MemoryError where the place cannot be mapped; it is given back then, too.
Reference block_object(worker::BlockReader& reader, const worker::BlockPlace& place,
                       const std::function<void(const worker::BlockPlace&)>& give_back);

}  // namespace manycore::python::tasks
