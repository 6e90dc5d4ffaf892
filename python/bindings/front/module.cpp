// The extension module manycore._front: the front door's first stage. The arrays' extension _core follows when NumPy comes.
#include "bindings/engine_errors.h"
#include "bindings/extension_module.h"
#include "bindings/front/front.h"
#include "bindings/guarded.h"
#include "bindings/options.h"
#include "bindings/user_frame.h"
#include "manycore/errors.h"
#include "manycore/version.h"

namespace manycore::python {

// Of the engine's errors only those of options and of memory can come here.
void set_python_error() {
  set_engine_error([](const UserError&) { return PyExc_ValueError; });
}

// NumPy's loops are taken when it has come.
void simd_level_changed() {}

}  // namespace manycore::python

namespace {

int fill(PyObject* module) {
  using namespace manycore::python;
  if (PyModule_AddStringConstant(module, "__version__", MANYCORE_VERSION) < 0) return -1;
  const bool filled = register_options(module) && register_user_frame(module) && register_user_import(module) &&
                      register_user_compile(module) && register_call_at_top(module) && register_helpers(module);
  return filled ? 0 : -1;
}

PyModuleDef definition = manycore::python::extension_module<fill>(
    "manycore._front", "The front door without NumPy: options, the import hook, the start of a program.");

}  // namespace

PyMODINIT_FUNC PyInit__front() { return PyModuleDef_Init(&definition); }
