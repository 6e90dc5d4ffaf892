// NumPy's C API and the NumPy objects that the bindings ask for by name, fetched once by register_numpy(). Every file that
// touches NumPy's C structures includes this header first; only numpy_api.cpp imports the function table.
// Needs the GIL. The references below live as long as the process.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define PY_ARRAY_UNIQUE_SYMBOL manycore_numpy_api_table
#ifndef MANYCORE_IMPORTS_NUMPY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>
#include <numpy/arrayscalars.h>

#include "bindings/array_object.h"

namespace manycore::python {

struct NumpyObjects {
  PyObject* module = nullptr;             // numpy
  PyObject* axis_error = nullptr;         // numpy.exceptions.AxisError
  PyObject* linalg_error = nullptr;       // numpy.linalg.LinAlgError
  PyObject* complex_warning = nullptr;    // numpy.exceptions.ComplexWarning
  PyObject* ufunc_type_error = nullptr;   // numpy._core._exceptions.UFuncTypeError
  PyObject* errstate_variable = nullptr;  // the context variable behind numpy.errstate
  PyObject* no_value = nullptr;           // numpy._NoValue
  PyObject* geterr = nullptr;
  PyObject* geterrcall = nullptr;
};
extern NumpyObjects numpy_objects;

// The numpy.dtype of one of our dtypes; borrowed.
extern PyArray_Descr* descr_table[kDTypeCount];

// DType of a NumPy type number; false for types that are not ours (longlong, longdouble, object, datetimes, ...).
bool dtype_from_type_number(int type_number, DType* dtype);
// The same for a descriptor; false as well when it is byte-swapped or carries metadata.
bool dtype_from_native_descr(PyArray_Descr* descr, DType* dtype);

// A real, exact ndarray whose elements the engine can use where they lie.
inline bool is_usable_real(PyObject* object, DType* dtype) {
  return PyArray_CheckExact(object) && dtype_from_native_descr(PyArray_DESCR(reinterpret_cast<PyArrayObject*>(object)), dtype) &&
         PyArray_ISALIGNED(reinterpret_cast<PyArrayObject*>(object));
}

// A type object to fill in: every slot empty.
inline PyTypeObject blank_type() {
  PyTypeObject type{};
  Py_SET_REFCNT(reinterpret_cast<PyObject*>(&type), 1);
  return type;
}

// numpy.ndarray's own method `name`, unbound; cached, borrowed.
PyObject* real_method(const char* name);

}  // namespace manycore::python
