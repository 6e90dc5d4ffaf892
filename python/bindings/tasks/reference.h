// An owned reference to a Python object, and the exception that is being raised as one object. All with the GIL.
#pragma once

#include <Python.h>

#include <utility>

namespace manycore::python::tasks {

class Reference {
 public:
  Reference() = default;
  // Takes over a new reference, or null.
  explicit Reference(PyObject* owned) : object_(owned) {}
  static Reference to(PyObject* borrowed) { return Reference(Py_XNewRef(borrowed)); }
  Reference(Reference&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Reference& operator=(Reference&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Reference() { Py_XDECREF(object_); }

  PyObject* get() const { return object_; }
  PyObject* release() { return std::exchange(object_, nullptr); }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  PyObject* object_ = nullptr;
};

// Ends the raising and answers the exception with its traceback, as an `except` clause gets it.
inline Reference take_raised() {
#if PY_VERSION_HEX >= 0x030C0000
  return Reference(PyErr_GetRaisedException());
#else
  PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  if (type == nullptr) return {};
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback != nullptr) PyException_SetTraceback(value, traceback);
  Py_DECREF(type);
  Py_XDECREF(traceback);
  return Reference(value);
#endif
}

// As `raise exception`: the context is what is being handled, the traceback goes on from the exception's own.
inline void raise(PyObject* exception) {
  if (PyExceptionInstance_Check(exception)) {
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception)), exception);
  } else if (PyExceptionClass_Check(exception)) {
    PyErr_SetNone(exception);
  } else {
    PyErr_SetString(PyExc_TypeError, "exceptions must derive from BaseException");
  }
}

// As a generator raises it: a StopIteration of a call is no end of the results.
void raise_from_results(PyObject* exception);

}  // namespace manycore::python::tasks
