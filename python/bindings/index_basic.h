// Basic indexing with what loops and stencils use: Python's and NumPy's integers, slices, Ellipsis and None, alone or in a
// tuple. No allocation, nothing kept. Anything else, and what raises, is left to index_plan.h.
#pragma once

#include "bindings/array_type.h"
#include "bindings/numpy_api.h"

namespace manycore::python {

// Python's int itself, or a NumPy integer.
inline bool is_integer_index(PyObject* object) {
  return PyLong_CheckExact(object) || Py_TYPE(object) == &PyLongArrType_Type || PyArray_IsScalar(object, Integer);
}

// No number and no array: asked first, since what a number is takes longer to find out.
inline bool is_slice_or_tuple(PyObject* index) {
  return PySlice_Check(index) || PyTuple_CheckExact(index) || index == Py_Ellipsis || index == Py_None;
}

// Such an integer as a position on an axis of `extent`; false when it lies outside.
inline bool place_on_axis(PyObject* integer, int64_t extent, int64_t* position) {
  if (Py_TYPE(integer) != &PyLongArrType_Type) {
    if (PyLong_CheckExact(integer)) return position_on_axis(integer, extent, position);
    int64_t value;
    if (read_integer(integer, &value) != 1) return false;
    *position = value < 0 ? value + extent : value;
  } else {
    const int64_t value = PyArrayScalar_VAL(integer, Long);
    *position = value < 0 ? value + extent : value;
  }
  return *position >= 0 && *position < extent;
}

// IndexError in NumPy's words.
void set_index_error(Py_ssize_t position, int axis, int64_t extent);

enum class BasicIndex : unsigned char { kOther, kElement, kView, kError };

// kElement: an integer for every axis; result->data points at the element. kView: `result` is the view. kOther: not for here, no
// exception set. kError: a plain integer lies outside its axis, which loops provoke often enough to be told at once; IndexError is set.
BasicIndex basic_index(const View& view, PyObject* index, View* result);

}  // namespace manycore::python
