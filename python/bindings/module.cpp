// The extension module manycore._core: the engine for Python.
#include <nanobind/nanobind.h>

#include "bindings/array_object.h"
#include "bindings/numpy_memory.h"
#include "bindings/options.h"
#include "manycore/version.h"

NB_MODULE(_core, module) {
  using namespace manycore::python;
  PyObject* self = module.ptr();
  module.attr("__version__") = MANYCORE_VERSION;
  if (!register_numpy() || !register_array_type(self) || !register_ufunc_type(self) || !register_functions(self) ||
      !register_trace(self) || !register_options(self) || !register_crossing(self) || !register_recording(self) ||
      !register_interrupt(self) || !register_numpy_memory(self)) {
    throw nanobind::python_error();
  }
}
