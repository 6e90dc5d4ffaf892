#include "bindings/tasks/call_site.h"

#include "bindings/tasks/module.h"

namespace manycore::python::tasks {
namespace {

PyObject* own_folder = nullptr;      // with a slash behind it
PyObject* last_user_code = nullptr;  // that was found to be no file's of that folder

bool is_own(PyCodeObject* code) {
  if (reinterpret_cast<PyObject*>(code) == last_user_code) return false;
  PyObject* file = code->co_filename;
  const bool own = own_folder != nullptr && PyUnicode_Tailmatch(file, own_folder, 0, PyUnicode_GET_LENGTH(file), -1) == 1;
  PyErr_Clear();
  if (!own) Py_XSETREF(last_user_code, Py_NewRef(reinterpret_cast<PyObject*>(code)));
  return own;
}

PyObject* find_site(PyObject*, PyObject*) {
  const CallSite site = call_site();
  if (!site.code) Py_RETURN_NONE;
  return Py_BuildValue("(Oi)", site.code.get(), site.instruction);
}

PyMethodDef functions[] = {
    {"call_site", find_site, METH_NOARGS, "The user's code object and instruction that this thread is at, or None."},
    {nullptr, nullptr, 0, nullptr},
};

// The folder of the package, that of this library.
int find_own_folder(PyObject* module) {
  const Reference spec(PyObject_GetAttrString(module, "__spec__"));
  const Reference origin(spec ? PyObject_GetAttrString(spec.get(), "origin") : nullptr);
  if (!origin || !PyUnicode_Check(origin.get())) {
    PyErr_Clear();
    return 0;
  }
  const Py_ssize_t length = PyUnicode_GET_LENGTH(origin.get());
  const Py_ssize_t slash = PyUnicode_FindChar(origin.get(), '/', 0, length, -1);
  if (slash < 0) return PyErr_Occurred() != nullptr ? -1 : 0;
  own_folder = PyUnicode_Substring(origin.get(), 0, slash + 1);
  return own_folder != nullptr ? 0 : -1;
}

}  // namespace

CallSite call_site() {
  Reference frame = Reference::to(reinterpret_cast<PyObject*>(PyEval_GetFrame()));
  while (frame) {
    auto* here = reinterpret_cast<PyFrameObject*>(frame.get());
    Reference code(reinterpret_cast<PyObject*>(PyFrame_GetCode(here)));
    if (!is_own(reinterpret_cast<PyCodeObject*>(code.get()))) return {std::move(code), PyFrame_GetLasti(here)};
    frame = Reference(reinterpret_cast<PyObject*>(PyFrame_GetBack(here)));
  }
  return {};
}

CallSite site_of(PyObject* described) {
  PyObject* code = nullptr;
  int instruction = 0;
  if (described == nullptr || !PyTuple_Check(described) ||
      !PyArg_ParseTuple(described, "O!i", &PyCode_Type, &code, &instruction)) {
    PyErr_Clear();
    return call_site();
  }
  return {Reference::to(code), instruction};
}

int add_call_site(PyObject* module) { return find_own_folder(module) < 0 ? -1 : PyModule_AddFunctions(module, functions); }

}  // namespace manycore::python::tasks
