// builtins.__import__, importlib.import_module and builtins.compile as user code meets them: NumPy's modules are swapped for ours, the
// source of user files is transformed. Everything else goes on to what stood there before, without a frame in between.
#include <cstring>

#include "bindings/crossing.h"
#include "bindings/user_frame.h"

namespace manycore::python {
namespace {

PyObject* real_import = nullptr;         // what builtins.__import__ was
PyObject* real_import_module = nullptr;  // what importlib.import_module was
PyObject* plain_compile = nullptr;       // what builtins.compile was
PyObject* transform_source = nullptr;    // Python: (source, filename, flags, dont_inherit) -> tree or None
PyObject* swap_import = nullptr;         // Python: (name, fromlist) -> the module that a user gets instead, or None

PyObject* set_swap(PyObject*, PyObject* swap) {
  Py_XSETREF(swap_import, Py_NewRef(swap));
  Py_RETURN_NONE;
}

bool names_numpy(PyObject* name) {
  if (!PyUnicode_Check(name)) return false;
  const char* text = PyUnicode_AsUTF8(name);
  if (text == nullptr) {
    PyErr_Clear();
    return false;
  }
  return std::strncmp(text, "numpy", 5) == 0 && (text[5] == '\0' || text[5] == '.');
}

// An import statement passes a tuple or None as fromlist, `__import__("numpy")` nothing; PyImport_Import in C code passes an
// empty list, and that one belongs to the library whose C code is running.
PyObject* user_import(PyObject*, PyObject* args, PyObject* keywords) {
  static const char* names[] = {"name", "globals", "locals", "fromlist", "level", nullptr};
  if (PyTuple_GET_SIZE(args) > 0 && names_numpy(PyTuple_GET_ITEM(args, 0))) {
    PyObject *name, *globals = nullptr, *locals = nullptr, *fromlist = nullptr;
    int level = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|OOOi:__import__", const_cast<char**>(names), &name, &globals, &locals,
                                     &fromlist, &level)) {
      return nullptr;
    }
    const bool from_c = fromlist != nullptr && PyList_CheckExact(fromlist);
    if (level == 0 && !from_c && user_is_calling()) {
      PyObject* swapped = PyObject_CallFunctionObjArgs(swap_import, name, fromlist == nullptr ? Py_None : fromlist, nullptr);
      if (swapped == nullptr || swapped != Py_None) return swapped;
      Py_DECREF(swapped);
    }
  }
  return PyObject_Call(real_import, args, keywords);
}

PyObject* user_import_module(PyObject*, PyObject* args, PyObject* keywords) {
  if (PyTuple_GET_SIZE(args) > 0 && names_numpy(PyTuple_GET_ITEM(args, 0)) && user_is_calling()) {
    PyObject* leaf = Py_True;  // import_module answers the submodule, not its package
    PyObject* swapped = PyObject_CallFunctionObjArgs(swap_import, PyTuple_GET_ITEM(args, 0), leaf, nullptr);
    if (swapped == nullptr || swapped != Py_None) return swapped;
    Py_DECREF(swapped);
  }
  return PyObject_Call(real_import_module, args, keywords);
}

// The module that a user sees under a name of NumPy's: for `sys.modules[...]` in user code.
PyObject* user_module(PyObject*, PyObject* module) {
  if (PyModule_Check(module) && swap_import != nullptr) {
    PyObject* name = PyDict_GetItemString(PyModule_GetDict(module), "__name__");
    if (name != nullptr && names_numpy(name)) {
      PyObject* swapped = PyObject_CallFunctionObjArgs(swap_import, name, Py_True, nullptr);
      if (swapped == nullptr || swapped != Py_None) return swapped;
      Py_DECREF(swapped);
    }
  }
  return Py_NewRef(module);
}

// compile(source, filename, ...) called by a library on a user file. The import system's own call is left alone: it may be
// writing plain Python's bytecode.
bool compiles_user_file(PyObject* filename, PyObject* mode) {
  if (!PyUnicode_Check(filename) || !PyUnicode_Check(mode) || PyUnicode_CompareWithASCIIString(mode, "exec") != 0) return false;
  if (has_no_file(filename) || !is_user_name(filename)) return false;
  PyFrameObject* frame = PyThreadState_GetFrame(PyThreadState_Get());
  if (frame == nullptr) return true;
  PyCodeObject* code = PyFrame_GetCode(frame);
  const char* caller = PyUnicode_AsUTF8(code->co_filename);
  const bool importing = caller != nullptr && std::strncmp(caller, "<frozen importlib", 17) == 0;
  Py_DECREF(code);
  Py_DECREF(frame);
  return !importing;
}

PyObject* user_compile(PyObject*, PyObject* args, PyObject* keywords) {
  static const char* names[] = {"source", "filename", "mode", "flags", "dont_inherit", "optimize", "_feature_version", nullptr};
  PyObject *source, *filename, *mode;
  int flags = 0, dont_inherit = 0, optimize = -1, feature_version = -1;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOO|ipi$i:compile", const_cast<char**>(names), &source, &filename, &mode,
                                   &flags, &dont_inherit, &optimize, &feature_version)) {
    PyErr_Clear();
    return PyObject_Call(plain_compile, args, keywords);
  }
  if (feature_version != -1 || !compiles_user_file(filename, mode)) return PyObject_Call(plain_compile, args, keywords);
  PyObject* tree = PyObject_CallFunction(transform_source, "OOiO", source, filename, flags, dont_inherit ? Py_True : Py_False);
  if (tree == nullptr) return nullptr;
  // Called from here, compile() still sees the caller's frame and inherits its __future__ flags.
  PyObject* code = tree == Py_None
                       ? PyObject_Call(plain_compile, args, keywords)
                       : PyObject_CallFunction(plain_compile, "OOOiii", tree, filename, mode, flags, dont_inherit, optimize);
  Py_DECREF(tree);
  return code;
}

PyMethodDef compile_method = {"compile", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(user_compile)),
                              METH_VARARGS | METH_KEYWORDS, nullptr};

// (compile, transformed_source) -> the function to put in the place of builtins.compile.
PyObject* make_user_compile(PyObject*, PyObject* args) {
  PyObject *plain, *transformed;
  if (!PyArg_ParseTuple(args, "OO", &plain, &transformed)) return nullptr;
  Py_XSETREF(plain_compile, Py_NewRef(plain));
  Py_XSETREF(transform_source, Py_NewRef(transformed));
  PyObject* name = PyUnicode_FromString("builtins");
  PyObject* function = PyCFunction_NewEx(&compile_method, nullptr, name);
  Py_XDECREF(name);
  return function;
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

PyMethodDef methods[] = {
    {"set_import_swap", set_swap, METH_O, "set_import_swap(f): f(name, fromlist) gives users their module for one of NumPy's."},
    {"make_user_imports", make_user_imports, METH_VARARGS, "Wrap __import__ and import_module: users get manycore.numpy."},
    {"make_user_compile", make_user_compile, METH_VARARGS, "Wrap compile: source of user files is transformed."},
    {"user_module", user_module, METH_O, "The module that user code sees in place of one of NumPy's."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool register_user_import(PyObject* module) { return PyModule_AddFunctions(module, methods) == 0; }

}  // namespace manycore::python
