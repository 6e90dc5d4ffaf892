// What an operator does when an array of ours meets something else: NEP 13's rules and NumPy's older __array_priority__.
#pragma once

#include "bindings/array_object.h"

namespace manycore::python {

// Arrays of ours and Python's own numbers never defer: the check that keeps small arrays fast.
inline bool is_plain_operand(PyObject* object) {
  return is_array(object) || PyFloat_CheckExact(object) || PyLong_CheckExact(object) || PyBool_Check(object) ||
         PyComplex_CheckExact(object);
}

enum class Meeting {
  kConvert,   // an operand like any other (or one that only NumPy can convert)
  kDefer,     // the other object's own operator goes first: answer NotImplemented
  kSubclass,  // a subclass of the real ndarray, which may bring reflected operators of its own
};
Meeting meet(PyObject* other, bool in_place);

// An operator that ran on the real array behind `array`: wrap the result (its reference is taken over) and record the fallback.
PyObject* finish_real_operator(PyObject* result, PyObject* array, const char* operation, const char* reason);
// refuse_fallback under the name that finish_real_operator records.
int refuse_fallback_of(const char* operation, const char* reason);

}  // namespace manycore::python
