// Engine errors as Python exceptions of NumPy's classes.
#include <string_view>

#include "bindings/engine_errors.h"
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

}  // namespace

void set_python_error() { set_engine_error(class_of); }

}  // namespace manycore::python
