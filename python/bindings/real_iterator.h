// Iterators of NumPy's over our memory (a.flat, numpy.nditer): objects that answer as NumPy's own and give ours where those give
// real arrays. Immutable but for the iterator inside; needs the GIL.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace manycore::python {

// Steals `real`, a numpy.flatiter or numpy.nditer; null passes through.
PyObject* over_real_iterator(PyObject* real);
// The real iterator inside, borrowed; null for any other object.
PyObject* real_iterator_of(PyObject* object);

bool register_real_iterator(PyObject* module);

}  // namespace manycore::python
