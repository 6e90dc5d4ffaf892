#include "bindings/function_arguments.h"

#include "bindings/real_numpy.h"

namespace manycore::python {

bool parse(FunctionCall& call, std::span<const char* const> names, PyObject** values) {
  const auto count = static_cast<Py_ssize_t>(names.size());
  call.declined = "arguments that only NumPy serves";
  if (call.nargs > count) return false;
  for (Py_ssize_t i = 0; i < count; ++i) values[i] = i < call.nargs ? call.args[i] : nullptr;
  const Py_ssize_t keywords = call.kwnames != nullptr ? PyTuple_GET_SIZE(call.kwnames) : 0;
  for (Py_ssize_t k = 0; k < keywords; ++k) {
    PyObject* name = PyTuple_GET_ITEM(call.kwnames, k);
    Py_ssize_t i = 0;
    while (i < count && PyUnicode_CompareWithASCIIString(name, names[static_cast<size_t>(i)]) != 0) ++i;
    if (i == count || values[i] != nullptr) return false;
    values[i] = call.args[call.nargs + k];
  }
  call.declined = nullptr;
  return true;
}

bool casting_from(PyObject* object, Casting* casting) {
  if (!PyUnicode_Check(object)) return false;
  for (Casting known : {Casting::kNo, Casting::kEquiv, Casting::kSafe, Casting::kSameKind, Casting::kUnsafe}) {
    if (PyUnicode_CompareWithASCIIString(object, name_of(known)) == 0) {
      *casting = known;
      return true;
    }
  }
  return false;
}

bool integer_from(PyObject* object, int64_t* value) {
  if (PyLong_CheckExact(object)) {
    int overflow = 0;
    *value = PyLong_AsLongLongAndOverflow(object, &overflow);
    return overflow == 0;
  }
  if (PyBool_Check(object) || !PyIndex_Check(object)) return false;
  PyObject* index = PyNumber_Index(object);
  int overflow = 0;
  *value = index != nullptr ? PyLong_AsLongLongAndOverflow(index, &overflow) : 0;
  Py_XDECREF(index);
  if (PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    return false;
  }
  return overflow == 0;
}

bool shape_from(PyObject* object, Dims* shape) {
  int64_t value = 0;
  if (integer_from(object, &value)) {
    *shape = Dims{value};
    return true;
  }
  if (!PyTuple_CheckExact(object) && !PyList_CheckExact(object)) return false;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(object);
  if (count > kMaxDims) return false;
  Dims dims(static_cast<int>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (!integer_from(PySequence_Fast_GET_ITEM(object, i), &value)) return false;
    dims[static_cast<int>(i)] = value;
  }
  *shape = std::move(dims);
  return true;
}

bool axes_from(PyObject* object, std::optional<Dims>* axes) {
  if (not_given(object)) return true;
  if (PyList_CheckExact(object)) return false;  // NumPy wants a tuple and says so
  return shape_from(object, &axes->emplace());
}

bool dtype_or(PyObject* object, DType fallback, DType* dtype) {
  *dtype = fallback;
  if (not_given(object)) return true;
  return !is_array(object) && !is_real_array(object) && dtype_from_descr(object, dtype);
}

bool copy_order_from(PyObject* object, evaluate::CopyOrder otherwise, evaluate::CopyOrder* order) {
  *order = otherwise;
  if (not_given(object)) return true;
  if (!PyUnicode_Check(object) || PyUnicode_GetLength(object) != 1) return false;
  switch (PyUnicode_ReadChar(object, 0)) {
    case 'C':
      *order = evaluate::CopyOrder::kC;
      return true;
    case 'F':
      *order = evaluate::CopyOrder::kF;
      return true;
    case 'A':
      *order = evaluate::CopyOrder::kA;
      return true;
    case 'K':
      *order = evaluate::CopyOrder::kK;
      return true;
    default:
      return false;
  }
}

}  // namespace manycore::python
