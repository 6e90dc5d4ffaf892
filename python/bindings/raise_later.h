// raise_later: for code of ours that is asked in the middle of an operation, must not fail it, and runs Python. What comes out of that is
// not its own: a signal handler ran there, and raised (Ctrl-C). It is raised as soon as the program's own code goes on, on the main thread.
#pragma once

#include <Python.h>

namespace manycore::python {

// Takes the exception that is set. Needs the GIL.
void raise_later();

}  // namespace manycore::python
