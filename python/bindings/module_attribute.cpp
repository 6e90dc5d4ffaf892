// `__getattr__` of manycore.numpy and its submodules: names that are made when asked for. A name that NumPy does not have raises
// NumPy's own error with NumPy's own traceback, since NumPy is asked first and no frame of ours stands between. Needs the GIL.
#include "bindings/array_object.h"
#include "bindings/crossing.h"

namespace manycore::python {
namespace {

// self: (the real module, find(name, real value) -> ours, the namespace that keeps it)
PyObject* module_attribute(PyObject* self, PyObject* name) {
  PyObject* real = PyObject_GetAttr(PyTuple_GET_ITEM(self, 0), name);
  if (real == nullptr) return nullptr;
  PyObject* ours = PyObject_CallFunctionObjArgs(PyTuple_GET_ITEM(self, 1), name, real, nullptr);
  Py_DECREF(real);
  // What NumPy's own __getattr__ makes each time (deprecated names, with their warning) is asked for each time.
  PyObject* names = PyModule_GetDict(PyTuple_GET_ITEM(self, 0));
  const int is_kept = names != nullptr ? PyDict_Contains(names, name) : -1;
  if (ours != nullptr && (is_kept < 0 || (is_kept > 0 && PyDict_SetItem(PyTuple_GET_ITEM(self, 2), name, ours) < 0)))
    Py_CLEAR(ours);
  return ours;
}

PyMethodDef attribute_method = {"__getattr__", module_attribute, METH_O, nullptr};

PyObject* make_module_getattr(PyObject*, PyObject* args) {
  PyObject *real, *find, *namespace_dict;
  if (!PyArg_ParseTuple(args, "OOO!", &real, &find, &PyDict_Type, &namespace_dict)) return nullptr;
  return PyCFunction_New(&attribute_method, args);
}

PyMethodDef methods[] = {{"make_module_getattr", make_module_getattr, METH_VARARGS,
                          "make_module_getattr(real, find, namespace): a module's __getattr__ that asks the real module first."},
                         {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool register_module_attribute(PyObject* module) { return PyModule_AddFunctions(module, methods) == 0; }

}  // namespace manycore::python
