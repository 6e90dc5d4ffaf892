// The attributes of concurrent.futures.Future that wait(), as_completed(), asyncio, dask and tests reach for, on the C type.
#pragma once

#include <Python.h>

namespace manycore::python::tasks {

extern PyGetSetDef future_attributes[];

PyObject* future_repr(PyObject* self);
PyObject* future_state_to_copy(PyObject* self, PyObject*);
// 0, or -1 where the callback ran at once and raised what is no Exception.
int add_done_callback(PyObject* self, PyObject* callback);

}  // namespace manycore::python::tasks
