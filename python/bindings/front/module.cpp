// The extension module manycore._front: the front door's first stage. The arrays' extension _core follows when NumPy comes.
#include <cxxabi.h>

#include <exception>
#include <new>

#include "bindings/front/front.h"
#include "bindings/gil.h"
#include "bindings/guarded.h"
#include "bindings/options.h"
#include "bindings/user_frame.h"
#include "manycore/errors.h"
#include "manycore/version.h"

namespace manycore::python {

// Of the engine's errors only those of options and of memory can come here.
void set_python_error() {
  try {
    throw;
  } catch (const abi::__forced_unwind&) {
    stop_thread();  // the interpreter ends, see gil.h
  } catch (const UserError& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  } catch (const ResourceError& error) {
    PyErr_SetString(PyExc_MemoryError, error.what());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  } catch (...) {
    PyErr_SetString(PyExc_RuntimeError, "manycore: unknown C++ exception");
  }
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

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(fill)},
#if PY_VERSION_HEX >= 0x030C0000
    // The package refuses other interpreters before it loads this (manycore/main_interpreter.py).
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "manycore._front",
    "The front door without NumPy: options, the import hook, the start of a program.",
    0,
    nullptr,
    slots,
    nullptr,
    nullptr,
    nullptr,
};

}  // namespace

PyMODINIT_FUNC PyInit__front() { return PyModuleDef_Init(&definition); }
