// Objects of the real NumPy that the operations need, looked up once at import. Borrowed references that live for ever.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace manycore::python {

struct RealNumpy {
  PyObject* module;
  PyTypeObject* ndarray;
  PyTypeObject* generic;  // base of the scalar types
  PyTypeObject* ufunc;
  PyObject* asarray;
  PyObject* array;
  PyObject* no_value;       // numpy._NoValue, the default of some keywords
  PyObject* ndarray_ufunc;  // ndarray.__array_ufunc__, to tell overrides from the inherited method
  PyObject* text_array_ufunc;
  PyObject* text_array_priority;
};

const RealNumpy& real_numpy();
bool load_real_numpy();  // false with an exception set

inline bool is_real_array(PyObject* object) { return Py_TYPE(object) == real_numpy().ndarray; }

}  // namespace manycore::python
