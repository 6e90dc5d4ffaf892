// Parts of the array type, one file each: attributes (attributes.cpp), methods (methods.cpp and beside it), indexing (index*.cpp),
// creation and life time (array_type.cpp). All need the GIL.
#pragma once

#include "bindings/arguments.h"
#include "bindings/array_object.h"
#include "bindings/gil.h"

namespace manycore::python {

extern PyGetSetDef array_attributes[];
extern PyMethodDef array_methods[];

// Above this many elements an engine call lets other Python threads run; below, releasing costs more than it gives.
inline constexpr int64_t kLongCall = 100'000;

class ReleaseGil {
 public:
  explicit ReleaseGil(int64_t elements) : state_(elements > kLongCall ? PyEval_SaveThread() : nullptr) {}
  ~ReleaseGil() {
    if (state_) take_gil(state_);
  }
  ReleaseGil(const ReleaseGil&) = delete;
  ReleaseGil& operator=(const ReleaseGil&) = delete;

 private:
  PyThreadState* state_;
};

// The array that views of `self` name as their base: NumPy keeps no chains.
inline PyObject* root_array(ArrayObject* self) {
  return self->base && is_array(self->base) ? self->base : reinterpret_cast<PyObject*>(self);
}

// Indexing: the mapping and sequence slots.
PyObject* array_subscript(PyObject* self, PyObject* index);
int array_assign_subscript(PyObject* self, PyObject* index, PyObject* value);
PyObject* array_item(PyObject* self, Py_ssize_t position);

// destination[...] = value for any Python value, with NumPy's conversions, errors and warnings. 0, or -1 with an exception.
int store_value(const Array& destination, PyObject* value);

// The value of an exact Python integer of one digit, as nearly every index is; false for longer ones.
inline bool read_compact(PyObject* integer, Py_ssize_t* value) {
  const auto* number = reinterpret_cast<PyLongObject*>(integer);
#if PY_VERSION_HEX >= 0x030C0000
  if (!PyUnstable_Long_IsCompact(number)) return false;
  *value = PyUnstable_Long_CompactValue(number);
#else
  const Py_ssize_t size = Py_SIZE(number);
  if (size < -1 || size > 1) return false;
  *value = size * static_cast<Py_ssize_t>(number->ob_digit[0]);
#endif
  return true;
}

// An exact Python integer as a position on an axis of `extent`, negative from its end; false when it lies outside.
inline bool position_on_axis(PyObject* integer, int64_t extent, int64_t* position) {
  Py_ssize_t at;
  if (!read_compact(integer, &at) && (at = PyLong_AsSsize_t(integer)) == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    return false;
  }
  if (at < 0) at += extent;
  *position = at;
  return at >= 0 && at < extent;
}

// The shape as a tuple of Python integers.
PyObject* tuple_from(const Dims& dims);

// Call NumPy's own method with the real array in place of ours.
PyObject* call_real_method(PyObject* self, const char* name,
                           const Call& call);  // result as it is; not a fallback: moves no elements
PyObject* call_real_method_wrapped(PyObject* self, const char* name, const Call& call);  // the same, real arrays become ours
PyObject* fall_back_to_method(PyObject* self, const char* name, const Call& call, const char* reason);  // counted
// The engine refused the arguments: NumPy raises its own error, or its answer stands and is counted.
PyObject* retry_real_method(PyObject* self, const char* name, const Call& call, const char* reason);

bool element_is_true(const std::byte* element, DType dtype);

// ComplexWarning when a complex value is stored where only its real part fits. 0, or -1 when the warning is an error.
int warn_discards_imaginary(DType from, DType to);

}  // namespace manycore::python
