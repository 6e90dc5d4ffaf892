// builtins.compile and builtins.exec as user code meets them: the source of user files, of the user's own texts and of the examples
// in its documentation is transformed. Everything else goes on to what stood there before, without a frame in between.
#include <cstring>
#include <vector>

#include "bindings/front/front.h"
#include "bindings/user_frame.h"

namespace manycore::python {
namespace {

PyObject* plain_compile = nullptr;     // what builtins.compile was
PyObject* plain_exec = nullptr;        // what builtins.exec was
PyObject* transform_source = nullptr;  // Python: (source, filename, flags, dont_inherit, mode) -> tree or None

bool starts_with(PyObject* text, const char* start) {
  const char* characters = PyUnicode_AsUTF8(text);
  if (characters == nullptr) PyErr_Clear();
  return characters != nullptr && std::strncmp(characters, start, std::strlen(start)) == 0;
}

// A user's file, compiled by a library (coverage, pytest, runpy), an example of doctest's, or a text that the user compiles. The
// import system's own call is left alone: it may be writing plain Python's bytecode.
bool compiles_user_code(PyObject* filename, PyObject* mode) {
  if (!PyUnicode_Check(filename) || !PyUnicode_Check(mode)) return false;
  const bool is_module = PyUnicode_CompareWithASCIIString(mode, "exec") == 0;
  if (!is_module && PyUnicode_CompareWithASCIIString(mode, "single") != 0) return false;
  if (has_no_file(filename)) return starts_with(filename, "<doctest ") || user_is_calling();
  if (!is_module || !is_user_name(filename)) return false;
  PyFrameObject* frame = PyThreadState_GetFrame(PyThreadState_Get());
  if (frame == nullptr) return true;
  PyCodeObject* code = PyFrame_GetCode(frame);
  const bool importing = starts_with(code->co_filename, "<frozen importlib");
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
  if (feature_version != -1 || !compiles_user_code(filename, mode)) return PyObject_Call(plain_compile, args, keywords);
  PyObject* tree =
      PyObject_CallFunction(transform_source, "OOiOO", source, filename, flags, dont_inherit ? Py_True : Py_False, mode);
  if (tree == nullptr) return nullptr;
  // Called from here, compile() still sees the caller's frame and inherits its __future__ flags.
  PyObject* code = tree == Py_None
                       ? PyObject_Call(plain_compile, args, keywords)
                       : PyObject_CallFunction(plain_compile, "OOOiii", tree, filename, mode, flags, dont_inherit, optimize);
  Py_DECREF(tree);
  return code;
}

// exec(text) of the user's; called from here, compile() and exec() still see the caller's frame.
PyObject* user_exec(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  const auto flagged = static_cast<size_t>(nargs);
  const bool is_text = nargs > 0 && (PyUnicode_Check(args[0]) || PyBytes_Check(args[0]));
  if (!is_text || !user_is_calling()) return PyObject_Vectorcall(plain_exec, args, flagged, kwnames);
  PyObject* tree = PyObject_CallFunction(transform_source, "OsiOs", args[0], "<string>", 0, Py_False, "exec");
  if (tree == nullptr) return nullptr;
  PyObject* code = tree == Py_None ? Py_NewRef(args[0]) : PyObject_CallFunction(plain_compile, "Oss", tree, "<string>", "exec");
  Py_DECREF(tree);
  if (code == nullptr) return nullptr;
  std::vector<PyObject*> arguments(args, args + nargs + (kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames)));
  arguments[0] = code;
  PyObject* result = PyObject_Vectorcall(plain_exec, arguments.data(), flagged, kwnames);
  Py_DECREF(code);
  return result;
}

PyMethodDef exec_method = {"exec", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(user_exec)),
                           METH_FASTCALL | METH_KEYWORDS, nullptr};
PyMethodDef compile_method = {"compile", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(user_compile)),
                              METH_VARARGS | METH_KEYWORDS, nullptr};

// (compile, exec, transformed_source) -> the functions to put in the place of the first two.
PyObject* make_user_compile(PyObject*, PyObject* args) {
  PyObject *compile, *exec, *transformed;
  if (!PyArg_ParseTuple(args, "OOO", &compile, &exec, &transformed)) return nullptr;
  Py_XSETREF(plain_compile, Py_NewRef(compile));
  Py_XSETREF(plain_exec, Py_NewRef(exec));
  Py_XSETREF(transform_source, Py_NewRef(transformed));
  PyObject* name = PyUnicode_FromString("builtins");
  PyObject* made_compile = PyCFunction_NewEx(&compile_method, nullptr, name);
  PyObject* made_exec = PyCFunction_NewEx(&exec_method, nullptr, name);
  Py_XDECREF(name);
  return Py_BuildValue("(NN)", made_compile, made_exec);
}

PyMethodDef methods[] = {
    {"make_user_compile", make_user_compile, METH_VARARGS, "Wrap compile and exec: source of the user's is transformed."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool register_user_compile(PyObject* module) { return PyModule_AddFunctions(module, methods) == 0; }

}  // namespace manycore::python
