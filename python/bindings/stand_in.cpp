#include "bindings/stand_in.h"

namespace manycore::python {

PyObject* stand_in_attribute(PyObject* self, PyObject* name) {
  PyObject* value = PyObject_GenericGetAttr(self, name);
  if (value != nullptr || !PyErr_ExceptionMatches(PyExc_AttributeError)) return value;
  PyErr_Clear();
  return PyObject_GetAttr(real_of(self), name);
}

PyObject* stand_in_repr(PyObject* self) { return PyObject_Repr(real_of(self)); }
PyObject* stand_in_real(PyObject* self, void*) { return Py_NewRef(real_of(self)); }

// copy.copy(numpy.add) is numpy.add, with or without this package.
PyObject* stand_in_reduce(PyObject* self, PyObject*) {
  PyObject* copy = PyImport_ImportModule("copy");
  PyObject* function = copy != nullptr ? PyObject_GetAttrString(copy, "copy") : nullptr;
  Py_XDECREF(copy);
  return function != nullptr ? Py_BuildValue("N(O)", function, real_of(self)) : nullptr;
}

PyObject* stand_in_copy(PyObject* self, PyObject*) { return Py_NewRef(self); }

}  // namespace manycore::python
