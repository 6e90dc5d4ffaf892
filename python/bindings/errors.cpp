// Engine errors as Python exceptions of NumPy's classes.
#include <cxxabi.h>

#include <new>
#include <string_view>

#include "bindings/gil.h"
#include "bindings/numpy_api.h"

namespace manycore::python {

namespace {

PyObject* class_of(const UserError& error) {
  switch (error.kind()) {
    case ErrorKind::kValue:
      return PyExc_ValueError;
    case ErrorKind::kType: {
      // NumPy's ufuncs raise a subclass of TypeError whose message opens with the ufunc's name.
      const bool from_ufunc = std::string_view(error.what()).starts_with("ufunc '");
      return from_ufunc && numpy_objects.ufunc_type_error ? numpy_objects.ufunc_type_error : PyExc_TypeError;
    }
    case ErrorKind::kCasting: {
      const bool from_ufunc = std::string_view(error.what()).starts_with("Cannot cast ufunc");
      return from_ufunc && numpy_objects.ufunc_type_error ? numpy_objects.ufunc_type_error : PyExc_TypeError;
    }
    case ErrorKind::kIndex:
      return PyExc_IndexError;
    case ErrorKind::kAxis:
      return numpy_objects.axis_error;
    case ErrorKind::kOverflow:
      return PyExc_OverflowError;
    case ErrorKind::kZeroDivision:
      return PyExc_ZeroDivisionError;
    case ErrorKind::kFloatingPoint:
      return PyExc_FloatingPointError;
    case ErrorKind::kNotImplemented:
      return PyExc_NotImplementedError;
    case ErrorKind::kLinearAlgebra:
      return numpy_objects.linalg_error;
  }
  return PyExc_RuntimeError;
}

// As the future of the call will raise it.
void set_cancelled(const char* text) {
  PyObject* futures = PyImport_ImportModule("concurrent.futures");
  PyObject* error = futures != nullptr ? PyObject_GetAttrString(futures, "CancelledError") : nullptr;
  if (error != nullptr) PyErr_SetString(error, text);
  Py_XDECREF(error);
  Py_XDECREF(futures);
}

}  // namespace

void set_python_error() {
  try {
    throw;
  } catch (const abi::__forced_unwind&) {
    stop_thread();  // the interpreter ends, see gil.h
  } catch (const UserError& error) {
    PyErr_SetString(class_of(error), error.what());
  } catch (const Stopped& error) {
    set_cancelled(error.what());
  } catch (const Interrupted&) {
    // The handler's exception is set already, on this thread.
    if (!PyErr_Occurred()) PyErr_SetNone(PyExc_KeyboardInterrupt);
  } catch (const ResourceError& error) {
    PyErr_SetString(PyExc_MemoryError, error.what());
  } catch (const Bug& error) {
    PyErr_Format(PyExc_SystemError, "manycore: broken invariant: %s; please report it", error.what());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  } catch (...) {
    PyErr_SetString(PyExc_RuntimeError, "manycore: unknown C++ exception");
  }
}

}  // namespace manycore::python
