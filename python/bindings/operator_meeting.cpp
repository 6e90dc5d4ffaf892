#include "bindings/operator_meeting.h"

#include <string>

#include "bindings/real_numpy.h"
#include "bindings/real_values.h"
#include "bindings/trace.h"

namespace manycore::python {
namespace {

// Lists and the like have neither protocol; asking them costs a failed attribute look-up with an exception.
bool is_known_plain(PyObject* object) {
  return is_real_array(object) || PyObject_TypeCheck(object, real_numpy().generic) || PyList_CheckExact(object) ||
         PyTuple_CheckExact(object) || PyUnicode_CheckExact(object) || PyBytes_CheckExact(object) || object == Py_None;
}

// Attributes of the type, as special methods are looked up. Borrowed or null.
PyObject* type_attribute(PyObject* object, PyObject* name) { return _PyType_Lookup(Py_TYPE(object), name); }

bool has_higher_priority(PyObject* other) {
  PyObject* priority = PyObject_GetAttr(other, real_numpy().text_array_priority);
  const double value = priority != nullptr ? PyFloat_AsDouble(priority) : -1.0;
  Py_XDECREF(priority);
  if (PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    return false;
  }
  return value > 0.0;  // an ndarray's own priority
}

std::string full_name(const char* operation) { return std::string("numpy.") + operation; }

}  // namespace

Meeting meet(PyObject* other, bool in_place) {
  if (is_known_plain(other)) return Meeting::kConvert;
  if (PyObject_TypeCheck(other, real_numpy().ndarray)) {
    // A subclass that opts out still defers.
    const bool opts_out = !in_place && type_attribute(other, real_numpy().text_array_ufunc) == Py_None;
    return opts_out ? Meeting::kDefer : Meeting::kSubclass;
  }
  PyObject* protocol = type_attribute(other, real_numpy().text_array_ufunc);
  if (protocol != nullptr) return !in_place && protocol == Py_None ? Meeting::kDefer : Meeting::kConvert;
  return has_higher_priority(other) ? Meeting::kDefer : Meeting::kConvert;
}

PyObject* finish_real_operator(PyObject* result, PyObject* array, const char* operation, const char* reason) {
  if (result == nullptr || result == Py_NotImplemented) return result;
  RealValues values;
  PyObject* wrapped = values.from_real(result);
  const int64_t bytes = values.bytes() + array_of(array).nbytes();
  if (wrapped != nullptr && record_fallback(full_name(operation).c_str(), reason, bytes) < 0) Py_CLEAR(wrapped);
  return wrapped;
}

int refuse_fallback_of(const char* operation, const char* reason) {
  return refuse_fallback(full_name(operation).c_str(), reason);
}

}  // namespace manycore::python
