// The Python object around manycore::Array: manycore.numpy.ndarray. A plain CPython type (not nanobind) because a call must
// cost less than NumPy's. Everything here needs the GIL. Errors are Python exceptions: functions return null with one set.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "bindings/guarded.h"
#include "manycore/array.h"

namespace manycore::python {

struct ArrayObject {
  PyObject_HEAD Array array;
  PyObject* base;  // what .base answers: the array this is a view of, or the foreign owner; null for owners
  PyObject* weak_references;
  PyObject* numpy_view;  // cached zero-copy real ndarray with this exact layout, or null (see to_numpy)
  bool writeable;
  bool is_remembered;  // as the one that stands for numpy_view, a foreign real array (exchange.cpp)
};

// The types; valid after register_array_type.
extern PyTypeObject ArrayType;      // manycore.numpy.ndarray
extern PyTypeObject ArrayMetaType;  // makes `class X(np.ndarray)` a subclass of NumPy's ndarray; isinstance accepts both

// Exact type check: our type cannot be subclassed.
inline bool is_array(PyObject* object) { return Py_TYPE(object) == &ArrayType; }
inline Array& array_of(PyObject* object) { return reinterpret_cast<ArrayObject*>(object)->array; }

// New references. wrap() takes a freshly computed array (it owns its memory); wrap_view() one that shares `parent`'s.
PyObject* wrap(Array array);
PyObject* wrap_view(Array array, PyObject* parent);
PyObject* wrap_view(View&& view, PyObject* parent);     // the same over the parent's buffer
PyObject* view_of_new(const Array& owner, Array view);  // a view that alone names the fresh `owner`, as its base
// A zero-dimensional result becomes a NumPy scalar, as NumPy's functions return; others as wrap().
PyObject* wrap_or_scalar(Array array);
PyObject* scalar_from(const std::byte* element, DType dtype);  // a NumPy scalar object (numpy.float64, ...)

// The crossing. to_numpy: a real numpy.ndarray over the same memory that keeps it alive (writes go through, the
// writeable flag is kept). from_numpy: ours over a real ndarray's memory; the same object, new reference, when its dtype is
// not one of ours, it is not in native byte order, or it is a subclass of ndarray.
PyObject* to_numpy(PyObject* ours);
PyObject* from_numpy(PyObject* real);

// Any object that can be an operand, as an Array or a Scalar: ours, real ndarrays, NumPy scalars, Python bool, int, float, complex.
// Returns 1 converted, 0 not convertible natively (no exception set: the caller falls back or defers), -1 error.
struct OperandHolder {
  Array array;  // keeps the memory alive
  Scalar scalar;
  bool is_scalar = false;
};
int convert_operand(PyObject* object, OperandHolder* holder);

// DType from a NumPy dtype, type object, string; false without exception when it is none of ours.
bool dtype_from_descr(PyObject* descr, DType* dtype);
PyObject* descr_of(DType dtype);  // borrowed reference to the numpy.dtype object

// Floating point conditions met by `operation`: warn, raise or call as numpy.errstate in force says. 0, or -1 with an exception.
int report_floating_point(unsigned status, const char* operation);

// Fallback: call NumPy's `function` with real arrays in place of ours (nested in tuples, lists and dicts too) and wrap what comes
// back. Counted under `name` with `reason` at the user's line.
PyObject* call_fallback(PyObject* function, PyObject* const* args, size_t nargsf, PyObject* kwnames, const char* name,
                        const char* reason);

// Registration, called once by module.cpp in this order.
bool register_numpy();  // NumPy's C API and cached objects
bool register_array_type(PyObject* module);
bool register_ufunc_type(PyObject* module);
bool register_functions(PyObject* module);  // native module-level functions (zeros, arange, ...) and the fallback function type
bool register_trace(PyObject* module);
bool register_crossing(PyObject* module);
bool register_recording(PyObject* module);  // evaluate and what recorded work asks of Python
bool register_interrupt(PyObject* module);  // Ctrl-C inside long loops

}  // namespace manycore::python
