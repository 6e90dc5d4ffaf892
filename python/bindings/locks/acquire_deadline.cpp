// The arguments of acquire(), with the standard's errors.
#include <cmath>

#include "bindings/locks/lock_object.h"
#include "bindings/tasks/future_wait.h"
#include "bindings/tasks/reference.h"

namespace manycore::python::locks {

using tasks::Reference;

bool acquire_deadline(PyObject* const* args, Py_ssize_t count, PyObject* keywords, int64_t* deadline) {
  PyObject *blocking = Py_True, *timeout = nullptr;
  if (keywords == nullptr && count <= 2) {
    if (count > 0) blocking = args[0];
    if (count > 1) timeout = args[1];
  } else {
    static const char* const names[] = {"blocking", "timeout", nullptr};
    const Reference tuple(PyTuple_New(count));
    const Reference named(PyDict_New());
    if (!tuple || !named) return false;
    for (Py_ssize_t i = 0; i < count; ++i) PyTuple_SET_ITEM(tuple.get(), i, Py_NewRef(args[i]));
    for (Py_ssize_t i = 0; keywords != nullptr && i < PyTuple_GET_SIZE(keywords); ++i) {
      if (PyDict_SetItem(named.get(), PyTuple_GET_ITEM(keywords, i), args[count + i]) < 0) return false;
    }
    if (!PyArg_ParseTupleAndKeywords(tuple.get(), named.get(), "|OO:acquire", const_cast<char**>(names), &blocking, &timeout)) {
      return false;
    }
  }
  const int waits = PyObject_IsTrue(blocking);
  if (waits < 0) return false;
  double seconds = -1;
  if (timeout != nullptr) {
    seconds = PyFloat_AsDouble(timeout);
    if (seconds == -1 && PyErr_Occurred() != nullptr) return false;
  }
  if (std::isnan(seconds)) {
    PyErr_SetString(PyExc_ValueError, "Invalid value NaN (not a number)");
    return false;
  }
  if (waits == 0 && seconds != -1) {
    PyErr_SetString(PyExc_ValueError, "can't specify a timeout for a non-blocking call");
    return false;
  }
  if (seconds < 0 && seconds != -1) {
    PyErr_SetString(PyExc_ValueError, "timeout value must be a non-negative number");
    return false;
  }
  if (waits == 0 || seconds == 0) {
    *deadline = 0;
    return true;
  }
  if (seconds == -1) return true;
  const Reference limit(PyFloat_FromDouble(seconds));
  return limit && tasks::deadline_of(limit.get(), deadline);
}

}  // namespace manycore::python::locks
