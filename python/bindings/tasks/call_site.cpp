#include "bindings/tasks/call_site.h"

#include <cstring>
#include <string>

#include "bindings/tasks/module.h"

namespace manycore::python::tasks {
namespace {

// With the slash at its end; empty where it is not known.
const std::string& package_folder() {
  static const std::string folder = [] {
    const Reference name(PyUnicode_FromString("manycore"));
    const Reference package(name ? PyImport_GetModule(name.get()) : nullptr);
    const Reference file(package ? PyObject_GetAttrString(package.get(), "__file__") : nullptr);
    const char* path = file && PyUnicode_Check(file.get()) ? PyUnicode_AsUTF8(file.get()) : nullptr;
    PyErr_Clear();
    const std::string whole = path != nullptr ? path : "";
    return whole.substr(0, whole.rfind('/') + 1);
  }();
  return folder;
}

bool is_ours(PyCodeObject* code) {
  const std::string& folder = package_folder();
  Py_ssize_t length = 0;
  const char* file = PyUnicode_AsUTF8AndSize(code->co_filename, &length);
  if (file == nullptr) PyErr_Clear();
  return file != nullptr && !folder.empty() && static_cast<size_t>(length) > folder.size() &&
         std::memcmp(file, folder.data(), folder.size()) == 0;
}

PyObject* find_site(PyObject*, PyObject*) {
  const CallSite site = call_site();
  return site.code ? Py_BuildValue("(Oi)", site.code.get(), site.instruction) : Py_NewRef(Py_None);
}

PyMethodDef functions[] = {
    {"call_site", find_site, METH_NOARGS, "The code object and the instruction that called the package, or None."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

CallSite call_site() {
  Reference frame = Reference::to(reinterpret_cast<PyObject*>(PyEval_GetFrame()));
  while (frame) {
    auto* inner = reinterpret_cast<PyFrameObject*>(frame.get());
    Reference code(reinterpret_cast<PyObject*>(PyFrame_GetCode(inner)));
    if (!is_ours(reinterpret_cast<PyCodeObject*>(code.get()))) return {std::move(code), PyFrame_GetLasti(inner)};
    frame = Reference(reinterpret_cast<PyObject*>(PyFrame_GetBack(inner)));
  }
  return {};
}

int add_call_site(PyObject* module) { return PyModule_AddFunctions(module, functions); }

}  // namespace manycore::python::tasks
