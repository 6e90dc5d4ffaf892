#define MANYCORE_IMPORTS_NUMPY
#include "bindings/numpy_api.h"

#include <string_view>
#include <unordered_map>

#include "bindings/array_object.h"

namespace manycore::python {

NumpyObjects numpy_objects;
PyArray_Descr* descr_table[kDTypeCount];

namespace {

constexpr int kTypeNumbers[kDTypeCount] = {NPY_BOOL,    NPY_INT8,    NPY_INT16,     NPY_INT32,     NPY_INT64,
                                           NPY_UINT8,   NPY_UINT16,  NPY_UINT32,    NPY_UINT64,    NPY_FLOAT16,
                                           NPY_FLOAT32, NPY_FLOAT64, NPY_COMPLEX64, NPY_COMPLEX128};

// Indexed by NumPy's type number; -1 where the type is none of ours.
signed char dtype_of_number[NPY_NTYPES_LEGACY + 1];

PyObject* attribute_of(const char* module_name, const char* attribute) {
  PyObject* module = PyImport_ImportModule(module_name);
  if (!module) return nullptr;
  PyObject* value = PyObject_GetAttrString(module, attribute);
  Py_DECREF(module);
  return value;
}

// Private names of NumPy: absent in some version they only cost speed or a subclass, never correctness.
PyObject* optional_attribute_of(const char* module_name, const char* attribute) {
  PyObject* value = attribute_of(module_name, attribute);
  if (!value) PyErr_Clear();
  return value;
}

}  // namespace

bool dtype_from_type_number(int type_number, DType* dtype) {
  if (type_number < 0 || type_number > NPY_NTYPES_LEGACY || dtype_of_number[type_number] < 0) return false;
  *dtype = static_cast<DType>(dtype_of_number[type_number]);
  return true;
}

bool dtype_from_native_descr(PyArray_Descr* descr, DType* dtype) {
  if (!dtype_from_type_number(descr->type_num, dtype)) return false;
  return descr == descr_table[static_cast<int>(*dtype)] || (PyArray_ISNBO(descr->byteorder) && descr->metadata == nullptr);
}

PyObject* descr_of(DType dtype) { return reinterpret_cast<PyObject*>(descr_table[static_cast<int>(dtype)]); }

bool dtype_from_descr(PyObject* object, DType* dtype) {
  if (PyArray_DescrCheck(object)) return dtype_from_native_descr(reinterpret_cast<PyArray_Descr*>(object), dtype);
  if (object == Py_None || is_array(object)) return false;  // an array has a dtype, but is none to NumPy
  PyArray_Descr* descr = nullptr;
  if (!PyArray_DescrConverter(object, &descr)) {
    PyErr_Clear();
    return false;
  }
  const bool found = dtype_from_native_descr(descr, dtype);
  Py_DECREF(descr);
  return found;
}

PyObject* real_method(const char* name) {
  static auto* methods = new std::unordered_map<std::string_view, PyObject*>;
  auto found = methods->find(name);
  if (found != methods->end()) return found->second;
  PyObject* method = PyObject_GetAttrString(reinterpret_cast<PyObject*>(&PyArray_Type), name);
  if (method) methods->emplace(name, method);
  return method;
}

bool register_numpy() {
  if (_import_array() < 0) return false;
  std::fill(std::begin(dtype_of_number), std::end(dtype_of_number), -1);
  for (int i = 0; i < kDTypeCount; ++i) {
    dtype_of_number[kTypeNumbers[i]] = static_cast<signed char>(i);
    descr_table[i] = PyArray_DescrFromType(kTypeNumbers[i]);
    if (!descr_table[i]) return false;
  }
  NumpyObjects& n = numpy_objects;
  n.module = PyImport_ImportModule("numpy");
  n.axis_error = attribute_of("numpy.exceptions", "AxisError");
  n.linalg_error = attribute_of("numpy.linalg", "LinAlgError");
  n.complex_warning = attribute_of("numpy.exceptions", "ComplexWarning");
  n.no_value = optional_attribute_of("numpy", "_NoValue");
  // The built-in behind geterr(): a function written in Python would run signal handlers, whose exceptions would be lost there.
  n.geterr = optional_attribute_of("numpy._core.umath", "_get_extobj_dict");
  if (!n.geterr) n.geterr = attribute_of("numpy", "geterr");
  n.geterrcall = attribute_of("numpy", "geterrcall");
  if (!n.module || !n.axis_error || !n.linalg_error || !n.complex_warning || !n.geterr || !n.geterrcall) return false;
  n.ufunc_type_error = optional_attribute_of("numpy._core._exceptions", "UFuncTypeError");
  n.errstate_variable = optional_attribute_of("numpy._core.umath", "_extobj_contextvar");
  return true;
}

}  // namespace manycore::python
