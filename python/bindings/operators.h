// What the array type takes from the operations: its number slots, comparisons and the two NumPy protocols. The slots call
// the engine straight; everything they cannot do goes to NumPy through call_fallback. All need the GIL.
#pragma once

#include "bindings/array_object.h"

namespace manycore::python {

// Fills the arithmetic slots, in-place ones and matrix_multiply included. Left alone: nb_bool, nb_int, nb_float, nb_index.
void fill_number_slots(PyNumberMethods* slots);

// tp_richcompare.
PyObject* array_richcompare(PyObject* self, PyObject* other, int comparison);

// Methods of the array type, METH_VARARGS | METH_KEYWORDS.
PyObject* array_ufunc(PyObject* self, PyObject* args, PyObject* kwargs);     // __array_ufunc__(ufunc, method, *inputs, **kwargs)
PyObject* array_function(PyObject* self, PyObject* args, PyObject* kwargs);  // __array_function__(func, types, args, kwargs)

}  // namespace manycore::python
