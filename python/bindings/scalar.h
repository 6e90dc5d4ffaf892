// NumPy scalars and Python numbers to and from the engine's Scalar, through NumPy's C structures. Needs the GIL.
#pragma once

#include "bindings/array_object.h"

namespace manycore::python {

// A NumPy scalar of one of our dtypes, exactly; false (no exception) for anything else.
bool scalar_from_numpy(PyObject* object, Scalar* scalar);

// A Python bool, int, float or complex, exactly; false (no exception) for anything else and for integers beyond 64 bits.
bool scalar_from_python(PyObject* object, Scalar* scalar);

// The element at `position` as the Python object that tolist() and item() give (bool, int, float, complex).
PyObject* python_number_from(const std::byte* element, DType dtype);

// Store a Python or NumPy number as one element, where that needs no warning and no error: true when it was stored.
bool store_number(PyObject* object, std::byte* element, DType dtype);

}  // namespace manycore::python
