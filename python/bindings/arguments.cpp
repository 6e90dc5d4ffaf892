#include "bindings/arguments.h"

#include "bindings/numpy_api.h"

namespace manycore::python {

namespace {

int find_name(PyObject* keyword, const char* const* names, PyObject** interned, int count) {
  for (int i = 0; i < count; ++i) {
    if (!interned[i]) interned[i] = PyUnicode_InternFromString(names[i]);
    if (interned[i] == keyword) return i;
  }
  for (int i = 0; i < count; ++i) {
    if (PyUnicode_CompareWithASCIIString(keyword, names[i]) == 0) return i;
  }
  return -1;
}

}  // namespace

bool match_arguments(const Call& call, const char* const* names, PyObject** interned, int name_count, int positional,
                     PyObject** values) {
  if (call.count > positional) return false;
  for (Py_ssize_t i = 0; i < call.count; ++i) values[i] = call.args[i];
  if (!call.keywords) return true;
  const Py_ssize_t keyword_count = PyTuple_GET_SIZE(call.keywords);
  for (Py_ssize_t i = 0; i < keyword_count; ++i) {
    const int place = find_name(PyTuple_GET_ITEM(call.keywords, i), names, interned, name_count);
    if (place < 0 || values[place]) return false;
    values[place] = call.args[call.count + i];
  }
  return true;
}

int read_integer(PyObject* object, int64_t* value) {
  if (PyBool_Check(object)) return 0;
  if (!PyLong_CheckExact(object) && !PyArray_IsScalar(object, Integer)) return 0;
  *value = PyNumber_AsSsize_t(object, PyExc_IndexError);
  if (*value == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    return 0;
  }
  return 1;
}

int read_dims(PyObject* object, Dims* dims) {
  int64_t value = 0;
  if (read_integer(object, &value) == 1) {
    *dims = Dims{value};
    return 1;
  }
  if (!PyTuple_CheckExact(object) && !PyList_CheckExact(object)) return 0;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(object);
  if (count > kMaxDims) return 0;
  dims->resize(static_cast<int>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (read_integer(PySequence_Fast_GET_ITEM(object, i), &value) != 1) return 0;
    (*dims)[static_cast<int>(i)] = value;
  }
  return 1;
}

int read_dtype(PyObject* object, DType* dtype) { return dtype_from_descr(object, dtype) ? 1 : 0; }

int read_axes(PyObject* object, int ndim, Dims* axes) {
  if (PyList_CheckExact(object) || read_dims(object, axes) != 1) return 0;
  uint64_t seen = 0;
  for (int64_t& axis : *axes) {
    if (axis < 0) axis += ndim;
    if (axis < 0 || axis >= ndim || (seen >> axis & 1)) return 0;
    seen |= uint64_t{1} << axis;
  }
  return 1;
}

int read_flag(PyObject* object, bool* flag) {
  if (object != Py_True && object != Py_False) return 0;
  *flag = object == Py_True;
  return 1;
}

bool is_absent(PyObject* object, bool none_is_absent) {
  return !object || object == numpy_objects.no_value || (none_is_absent && object == Py_None);
}

}  // namespace manycore::python
