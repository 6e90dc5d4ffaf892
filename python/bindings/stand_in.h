// What the objects that stand for a callable of NumPy's share (ufuncs, functions): the real one behind them, which answers for
// attributes, text, pickling and copying. Everything here needs the GIL.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace manycore::python {

struct StandIn {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject* real;  // owned
};
inline PyObject* real_of(PyObject* self) { return reinterpret_cast<StandIn*>(self)->real; }

// Type slots and methods; new references.
PyObject* stand_in_attribute(PyObject* self, PyObject* name);  // tp_getattro: our own, else the real one's
PyObject* stand_in_repr(PyObject* self);                       // tp_repr
PyObject* stand_in_real(PyObject* self, void*);                // __wrapped__
PyObject* stand_in_reduce(PyObject* self, PyObject*);          // __reduce__: pickles and loads as NumPy's own
PyObject* stand_in_copy(PyObject* self, PyObject*);            // __copy__, __deepcopy__: a constant of the program, itself

// A getter for an attribute that the type machinery would answer itself, such as __doc__.
template <const char* kName>
PyObject* stand_in_getter(PyObject* self, void*) {
  return PyObject_GetAttrString(real_of(self), kName);
}
inline constexpr char kDocName[] = "__doc__", kNameName[] = "__name__", kQualifiedName[] = "__qualname__",
                      kModuleName[] = "__module__";

}  // namespace manycore::python
