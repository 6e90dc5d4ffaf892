// The extension module manycore._core: the engine for Python.
#include <nanobind/nanobind.h>

#include "bindings/array_object.h"

namespace manycore::python {
// Parts that may not be linked in yet answer null.
__attribute__((weak)) bool register_ufunc_type(PyObject* module);
__attribute__((weak)) bool register_functions(PyObject* module);
__attribute__((weak)) bool register_trace(PyObject* module);
__attribute__((weak)) bool register_options(PyObject* module);
__attribute__((weak)) bool register_crossing(PyObject* module);
}  // namespace manycore::python

NB_MODULE(_core, module) {
  using namespace manycore::python;
  PyObject* self = module.ptr();
  if (!register_numpy() || !register_array_type(self)) throw nanobind::python_error();
  for (auto part : {register_ufunc_type, register_functions, register_trace, register_options, register_crossing}) {
    if (part && !part(self)) throw nanobind::python_error();
  }
}
