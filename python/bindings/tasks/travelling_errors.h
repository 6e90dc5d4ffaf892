// Errors of what travels between processes (manycore/futures/raised.py, salvage.py): exceptions on their way, what names the value that
// cannot be pickled, what is left of a pickle that cannot be read. Only where something has failed already. With the GIL.
#pragma once

#include <Python.h>

#include "bindings/tasks/pickling.h"
#include "bindings/tasks/reference.h"

namespace manycore::python::tasks {

// The exception with the text of its traceback, as it travels. Null with an exception.
Reference sent_form(PyObject* exception);

// Each answers the exception to be given instead, or that very one.
Reference unsent_result(PyObject* exception, PyObject* result);
Reference blamed(PyObject* exception, PyObject* check, PyObject* function, PyObject* arguments, PyObject* keywords);

// For from_bytes(). `broken` gets the errors of the items that cannot be read, by index.
Rescue rescue_arguments(bool function_inside, Reference* broken);
Rescue rescue_results();
Rescue explain_result();

}  // namespace manycore::python::tasks
