#include "bindings/user_frame.h"

#include <cstring>

#if PY_VERSION_HEX < 0x030D0000
#define MANYCORE_CURRENT_FRAME(tstate) (tstate)->cframe->current_frame
#else
#define MANYCORE_CURRENT_FRAME(tstate) (tstate)->current_frame
#endif

namespace manycore::python {
namespace {

PyObject* user_files = nullptr;     // dict: file name -> bool, shared with Python
PyObject* is_user_file = nullptr;   // the rule for file names that are not in it
PyObject* real_import = nullptr;    // what builtins.__import__ was
PyObject* real_import_module = nullptr;
PyObject* plain_compile = nullptr;     // what builtins.compile was
PyObject* transform_source = nullptr;  // Python: (source, filename, flags, dont_inherit) -> tree or None
PyObject* swap_import = nullptr;    // Python: (name, fromlist) -> the module that a user gets instead

bool is_user_name(PyObject* filename) {
  if (user_files == nullptr) return false;
  PyObject* known = PyDict_GetItemWithError(user_files, filename);
  if (known != nullptr) return known == Py_True;
  PyObject* answer = PyObject_CallOneArg(is_user_file, filename);
  const bool user = answer == Py_True;
  if (answer == nullptr || PyDict_SetItem(user_files, filename, answer) < 0) PyErr_Clear();
  Py_XDECREF(answer);
  return user;
}

// "<string>", "<stdin>", "<ipython-input-3>": no file. "<frozen importlib._bootstrap>" is the interpreter's.
bool has_no_file(PyObject* filename) {
  const char* text = PyUnicode_AsUTF8(filename);
  if (text == nullptr) PyErr_Clear();
  return text != nullptr && text[0] == '<' && std::strncmp(text, "<frozen ", 8) != 0;
}

// 1 user, 0 not, -1 the globals do not tell.
int globals_are_user(PyObject* globals) {
  PyObject* file = PyDict_GetItemString(globals, "__file__");
  if (file != nullptr && PyUnicode_Check(file)) return is_user_name(file);
  PyObject* name = PyDict_GetItemString(globals, "__name__");
  return name != nullptr && PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "__main__") == 0 ? 1 : -1;
}

bool code_is_user(PyCodeObject* code, PyObject* globals, int* unknown) {
  *unknown = 0;
  if (!has_no_file(code->co_filename)) return is_user_name(code->co_filename);
  const int answer = globals_are_user(globals);
  *unknown = answer < 0;
  return answer == 1;
}

PyObject* set_user_files(PyObject*, PyObject* args) {
  PyObject *files, *rule, *swap;
  if (!PyArg_ParseTuple(args, "O!OO", &PyDict_Type, &files, &rule, &swap)) return nullptr;
  Py_XSETREF(user_files, Py_NewRef(files));
  Py_XSETREF(is_user_file, Py_NewRef(rule));
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
  PyObject* code = tree == Py_None ? PyObject_Call(plain_compile, args, keywords)
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
PyMethodDef import_module_method = {"import_module",
                                    reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(user_import_module)),
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

// The program's recursion starts at zero too, as far as sys.setrecursionlimit counts.
class RecursionRoom {
 public:
  explicit RecursionRoom(PyThreadState* state) : state_(state), used_(limit() - remaining()) { remaining() += used_; }
  ~RecursionRoom() { remaining() -= used_; }

 private:
#if PY_VERSION_HEX < 0x030C0000
  int& limit() { return state_->recursion_limit; }
  int& remaining() { return state_->recursion_remaining; }
#else
  int& limit() { return state_->py_recursion_limit; }
  int& remaining() { return state_->py_recursion_remaining; }
#endif
  PyThreadState* state_;
  int used_;
};

// Calls with no Python frame below: what runs sees itself at the top of the stack, as a program started by the interpreter does
// (inspect.stack, traceback.print_stack, warnings' stacklevel). Greenlets begin in the same way. An exception is printed the
// interpreter's way, before frames of ours could join its traceback; None comes back then, else True. SystemExit passes.
PyObject* call_at_top(PyObject*, PyObject* args) {
  const Py_ssize_t count = PyTuple_GET_SIZE(args);
  if (count < 1 || (PyCode_Check(PyTuple_GET_ITEM(args, 0)) && (count != 2 || !PyDict_Check(PyTuple_GET_ITEM(args, 1))))) {
    PyErr_SetString(PyExc_TypeError, "call_at_top: expected call_at_top(callable, *args) or call_at_top(code, globals)");
    return nullptr;
  }
  PyObject* rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
  if (rest == nullptr) return nullptr;
  PyThreadState* state = PyThreadState_Get();
  auto* frame = MANYCORE_CURRENT_FRAME(state);
  MANYCORE_CURRENT_FRAME(state) = nullptr;
  const RecursionRoom room(state);
  PyObject* first = PyTuple_GET_ITEM(args, 0);
  PyObject* result = PyCode_Check(first) ? PyEval_EvalCode(first, PyTuple_GET_ITEM(args, 1), PyTuple_GET_ITEM(args, 1))
                                         : PyObject_Call(first, rest, nullptr);
  Py_DECREF(rest);
  const bool interrupted = result == nullptr && PyErr_ExceptionMatches(PyExc_KeyboardInterrupt);
  if (result == nullptr && !PyErr_ExceptionMatches(PyExc_SystemExit)) PyErr_PrintEx(1);
  MANYCORE_CURRENT_FRAME(state) = frame;
  if (result != nullptr) {
    Py_DECREF(result);
    Py_RETURN_TRUE;
  }
  if (PyErr_Occurred()) return nullptr;
  return Py_NewRef(interrupted ? Py_None : Py_False);
}

PyObject* called_by_user(PyObject*, PyObject*) { return PyBool_FromLong(user_is_calling()); }

PyMethodDef methods[] = {
    {"set_user_files", set_user_files, METH_VARARGS, "Share the table of user files, the rule and the import swap."},
    {"make_user_imports", make_user_imports, METH_VARARGS, "Wrap __import__ and import_module: users get manycore.numpy."},
    {"make_user_compile", make_user_compile, METH_VARARGS, "Wrap compile: source of user files is transformed."},
    {"user_module", user_module, METH_O, "The module that user code sees in place of one of NumPy's."},
    {"call_at_top", call_at_top, METH_VARARGS,
     "Call, or run code, as the interpreter runs a program: True when it ended well, False after an exception was printed, None after an interrupt."},
    {"called_by_user", called_by_user, METH_NOARGS, "Is the caller the user's code?"},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool is_user_function(PyObject* function) {
  int unknown = 0;
  auto* code = reinterpret_cast<PyCodeObject*>(PyFunction_GET_CODE(function));
  return user_files != nullptr && code_is_user(code, PyFunction_GET_GLOBALS(function), &unknown);
}

bool user_is_calling() {
  PyFrameObject* frame = PyThreadState_GetFrame(PyThreadState_Get());
  bool user = false;
  while (frame != nullptr) {
    PyCodeObject* code = PyFrame_GetCode(frame);
    PyObject* globals = PyFrame_GetGlobals(frame);
    int unknown = 0;
    user = code_is_user(code, globals, &unknown);
    Py_DECREF(code);
    Py_DECREF(globals);
    PyFrameObject* back = unknown ? PyFrame_GetBack(frame) : nullptr;
    Py_DECREF(frame);
    frame = back;
  }
  return user;
}

bool register_user_frame(PyObject* module) { return PyModule_AddFunctions(module, methods) == 0; }

}  // namespace manycore::python
