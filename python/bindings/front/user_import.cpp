// builtins.__import__ and importlib.import_module as user code meets them: NumPy's modules and those of the standard
// library and joblib that have a stand-in are swapped for ours. Everything else goes on to what stood there before, without a frame in between.
#include <string_view>

#include "bindings/front/front.h"
#include "bindings/user_frame.h"

namespace manycore::python {
namespace {

PyObject* real_import = nullptr;         // what builtins.__import__ was
PyObject* real_import_module = nullptr;  // what importlib.import_module was
PyObject* swap_import = nullptr;         // Python: (name, fromlist) -> the module that a user gets instead, or None

PyObject* set_swap(PyObject*, PyObject* swap) {
  Py_XSETREF(swap_import, Py_NewRef(swap));
  Py_RETURN_NONE;
}

// Packages; manycore.run.import_hook decides on their modules.
constexpr std::string_view kSwapped[] = {"numpy", "concurrent", "multiprocessing", "joblib", "threading", "queue"};

bool may_be_swapped(PyObject* name) {
  if (!PyUnicode_Check(name)) return false;
  Py_ssize_t size;
  const char* text = PyUnicode_AsUTF8AndSize(name, &size);
  if (text == nullptr) {
    PyErr_Clear();
    return false;
  }
  const std::string_view asked(text, static_cast<size_t>(size));
  for (const std::string_view package : kSwapped) {
    if (asked.starts_with(package) && (asked.size() == package.size() || asked[package.size()] == '.')) return true;
  }
  return false;
}

// Tools that look a name up for the user, to replace it: what they find must be what the user's code has.
bool looks_up_for_user() {
  PyFrameObject* frame = PyThreadState_GetFrame(PyThreadState_Get());
  if (frame == nullptr) return false;
  PyCodeObject* code = PyFrame_GetCode(frame);
  PyObject* globals = PyFrame_GetGlobals(frame);
  PyObject* module = PyDict_GetItemString(globals, "__name__");
  bool found = false;
  if (module != nullptr && PyUnicode_Check(module)) {
    const auto is = [](PyObject* text, const char* expected) { return PyUnicode_CompareWithASCIIString(text, expected) == 0; };
    found = is(module, "unittest.mock") || is(module, "_pytest.monkeypatch") ||
            (is(module, "pkgutil") && is(code->co_name, "resolve_name"));
  }
  Py_DECREF(globals);
  Py_DECREF(code);
  Py_DECREF(frame);
  return found;
}

// An import statement passes a tuple or None as fromlist, `__import__("numpy")` nothing; PyImport_Import in C code passes an
// empty list, and that one belongs to the library whose C code is running.
PyObject* user_import(PyObject*, PyObject* args, PyObject* keywords) {
  static const char* names[] = {"name", "globals", "locals", "fromlist", "level", nullptr};
  if (PyTuple_GET_SIZE(args) > 0 && may_be_swapped(PyTuple_GET_ITEM(args, 0))) {
    PyObject *name, *globals = nullptr, *locals = nullptr, *fromlist = nullptr;
    int level = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|OOOi:__import__", const_cast<char**>(names), &name, &globals, &locals,
                                     &fromlist, &level)) {
      return nullptr;
    }
    const bool from_c = fromlist != nullptr && PyList_CheckExact(fromlist);
    if (level == 0 && !from_c && (user_is_calling() || looks_up_for_user())) {
      PyObject* swapped = PyObject_CallFunctionObjArgs(swap_import, name, fromlist == nullptr ? Py_None : fromlist, nullptr);
      if (swapped == nullptr || swapped != Py_None) return swapped;
      Py_DECREF(swapped);
    }
  }
  return PyObject_Call(real_import, args, keywords);
}

PyObject* user_import_module(PyObject*, PyObject* args, PyObject* keywords) {
  if (PyTuple_GET_SIZE(args) > 0 && may_be_swapped(PyTuple_GET_ITEM(args, 0)) && (user_is_calling() || looks_up_for_user())) {
    PyObject* leaf = Py_True;  // import_module answers the submodule, not its package
    PyObject* swapped = PyObject_CallFunctionObjArgs(swap_import, PyTuple_GET_ITEM(args, 0), leaf, nullptr);
    if (swapped == nullptr || swapped != Py_None) return swapped;
    Py_DECREF(swapped);
  }
  return PyObject_Call(real_import_module, args, keywords);
}

// The module that a user sees in place of the real one: for `sys.modules[...]` in user code.
PyObject* user_module(PyObject*, PyObject* module) {
  if (PyModule_Check(module) && swap_import != nullptr) {
    PyObject* name = PyDict_GetItemString(PyModule_GetDict(module), "__name__");
    if (name != nullptr && may_be_swapped(name)) {
      PyObject* swapped = PyObject_CallFunctionObjArgs(swap_import, name, Py_True, nullptr);
      if (swapped == nullptr || swapped != Py_None) return swapped;
      Py_DECREF(swapped);
    }
  }
  return Py_NewRef(module);
}

PyMethodDef import_method = {"__import__", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(user_import)),
                             METH_VARARGS | METH_KEYWORDS, nullptr};
PyMethodDef import_module_method = {"import_module", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(user_import_module)),
                                    METH_VARARGS | METH_KEYWORDS, nullptr};

// (builtins.__import__, importlib.import_module) -> the two functions to put in their places.
PyObject* make_user_imports(PyObject*, PyObject* args) {
  PyObject *plain_import, *plain_import_module;
  if (!PyArg_ParseTuple(args, "OO", &plain_import, &plain_import_module)) return nullptr;
  Py_XSETREF(real_import, Py_NewRef(plain_import));
  Py_XSETREF(real_import_module, Py_NewRef(plain_import_module));
  PyObject* doc_module = PyUnicode_FromString("builtins");
  PyObject* first = PyCFunction_NewEx(&import_method, nullptr, doc_module);
  PyObject* second = PyCFunction_NewEx(&import_module_method, nullptr, doc_module);
  Py_XDECREF(doc_module);
  return Py_BuildValue("(NN)", first, second);
}

PyMethodDef methods[] = {{"set_import_swap", set_swap, METH_O,
                          "set_import_swap(f): f(name, fromlist) gives users their module for a real one, or None."},
                         {"make_user_imports", make_user_imports, METH_VARARGS,
                          "Wrap __import__ and import_module: users get manycore.numpy and the stand-ins."},
                         {"user_module", user_module, METH_O, "The module that user code sees in place of a real one."},
                         {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool register_user_import(PyObject* module) { return PyModule_AddFunctions(module, methods) == 0; }

}  // namespace manycore::python
