#include "bindings/real_numpy.h"

namespace manycore::python {
namespace {
RealNumpy objects{};
}

const RealNumpy& real_numpy() { return objects; }

bool load_real_numpy() {
  if (objects.module != nullptr) return true;
  PyObject* module = PyImport_ImportModule("numpy");
  if (module == nullptr) return false;
  const auto get = [&](const char* name) { return PyObject_GetAttrString(module, name); };
  objects.ndarray = reinterpret_cast<PyTypeObject*>(get("ndarray"));
  objects.generic = reinterpret_cast<PyTypeObject*>(get("generic"));
  objects.ufunc = reinterpret_cast<PyTypeObject*>(get("ufunc"));
  objects.asarray = get("asarray");
  objects.array = get("array");
  objects.no_value = get("_NoValue");
  objects.text_array_ufunc = PyUnicode_InternFromString("__array_ufunc__");
  objects.text_array_priority = PyUnicode_InternFromString("__array_priority__");
  if (objects.ndarray != nullptr) {
    objects.ndarray_ufunc = PyObject_GetAttr(reinterpret_cast<PyObject*>(objects.ndarray), objects.text_array_ufunc);
  }
  if (PyErr_Occurred() != nullptr) return false;
  objects.module = module;
  return true;
}

}  // namespace manycore::python
