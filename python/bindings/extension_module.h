// What the extensions without NumPy (_front, _tasks) have in common: their definition, from the function that fills the module and
// answers 0, or -1 with an exception.
#pragma once

#include <Python.h>

namespace manycore::python {

template <int (*fill)(PyObject* module)>
PyModuleDef extension_module(const char* name, const char* description) {
  static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(fill)},
#if PY_VERSION_HEX >= 0x030C0000
    // The package refuses other interpreters before it loads this (manycore/main_interpreter.py).
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, nullptr},
  };
  return {PyModuleDef_HEAD_INIT, name, description, 0, nullptr, slots, nullptr, nullptr, nullptr};
}

}  // namespace manycore::python
