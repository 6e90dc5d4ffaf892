#include "bindings/user_frame.h"

#include <cstring>

#include "bindings/raise_later.h"

namespace manycore::python {
namespace {

PyObject* user_files = nullptr;    // dict: file name -> bool, shared with Python
PyObject* is_user_file = nullptr;  // the rule for file names that are not in it

}  // namespace

bool is_user_name(PyObject* filename) {
  if (user_files == nullptr) return false;
  PyObject* known = PyDict_GetItemWithError(user_files, filename);
  if (known != nullptr) return known == Py_True;
  PyObject* answer = PyObject_CallOneArg(is_user_file, filename);
  const bool user = answer == Py_True;
  if (answer == nullptr || PyDict_SetItem(user_files, filename, answer) < 0) raise_later();
  Py_XDECREF(answer);
  return user;
}

bool has_no_file(PyObject* filename) {
  const char* text = PyUnicode_AsUTF8(filename);
  if (text == nullptr) PyErr_Clear();
  return text != nullptr && text[0] == '<' && std::strncmp(text, "<frozen ", 8) != 0;
}

namespace {

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
  PyObject *files, *rule;
  if (!PyArg_ParseTuple(args, "O!O", &PyDict_Type, &files, &rule)) return nullptr;
  Py_XSETREF(user_files, Py_NewRef(files));
  Py_XSETREF(is_user_file, Py_NewRef(rule));
  Py_RETURN_NONE;
}

PyObject* called_by_user(PyObject*, PyObject*) { return PyBool_FromLong(user_is_calling()); }

PyMethodDef methods[] = {
    {"set_user_files", set_user_files, METH_VARARGS, "Share the table of user files and the rule for those not in it."},
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
