// A few plain values as bytes, without the pickler: None, bools, ints of at most 64 bits, floats, short ASCII text and short bytes, one of
// them or a tuple. Most calls and results are that, and after a pause the pickler's code and tables have left the caches.
// What arrives is what pickle would give. The bytes begin as no pickle does. A reader believes nothing that it reads. With the GIL.
#pragma once

#include <Python.h>

#include <string>

#include "bindings/tasks/reference.h"
#include "worker/ring.h"

namespace manycore::python::tasks {

// False, without an exception and without bytes, where the object is for the pickler.
bool write_plain(PyObject* object, std::string* bytes);
bool is_written_plain(worker::Bytes bytes);
// Null with an exception.
Reference read_plain(worker::Bytes bytes);

// For tests: both by themselves, and how often this process has written so.
int add_plain_values(PyObject* module);

}  // namespace manycore::python::tasks
