#include "bindings/real_iterator.h"

#include "bindings/array_object.h"
#include "bindings/crossing.h"
#include "bindings/numpy_api.h"
#include "bindings/real_values.h"

namespace manycore::python {
namespace {

struct RealIterator {
  PyObject_HEAD PyObject* real;
};

PyTypeObject FlatType, NditerType;
PyObject* real_nditer = nullptr;  // NumPy's class

PyObject* real_of(PyObject* self) { return reinterpret_cast<RealIterator*>(self)->real; }

// Steals `result`; the iterator itself is what methods that return it return.
PyObject* given(PyObject* self, PyObject* result) {
  if (result != nullptr && result == real_of(self)) {
    Py_DECREF(result);
    return Py_NewRef(self);
  }
  return RealValues().from_real(result);
}

PyObject* get_attribute(PyObject* self, PyObject* name) {
  if (PyUnicode_CompareWithASCIIString(name, "__class__") == 0) {
    return Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(real_of(self))));
  }
  PyObject* value = PyObject_GetAttr(real_of(self), name);
  if (value == nullptr || !PyCFunction_Check(value)) return given(self, value);
  PyObject* method = crossing_callee(value);
  Py_DECREF(value);
  return method;
}

int set_attribute(PyObject* self, PyObject* name, PyObject* value) {
  PyObject* real = value != nullptr ? RealValues().to_real(value) : nullptr;
  const int status = value != nullptr && real == nullptr ? -1 : PyObject_SetAttr(real_of(self), name, real);
  Py_XDECREF(real);
  return status;
}

PyObject* get_item(PyObject* self, PyObject* key) {
  PyObject* real_key = RealValues().to_real(key);
  PyObject* item = real_key != nullptr ? PyObject_GetItem(real_of(self), real_key) : nullptr;
  Py_XDECREF(real_key);
  return given(self, item);
}

int set_item(PyObject* self, PyObject* key, PyObject* value) {
  RealValues values;
  PyObject* real_key = values.to_real(key);
  PyObject* real = value != nullptr && real_key != nullptr ? values.to_real(value) : nullptr;
  int status = -1;
  if (real_key != nullptr && real != nullptr) status = PyObject_SetItem(real_of(self), real_key, real);
  if (real_key != nullptr && value == nullptr) status = PyObject_DelItem(real_of(self), real_key);
  Py_XDECREF(real_key);
  Py_XDECREF(real);
  return status;
}

Py_ssize_t length(PyObject* self) { return PyObject_Size(real_of(self)); }

PyObject* next_item(PyObject* self) {
  PyObject* item = Py_TYPE(real_of(self))->tp_iternext(real_of(self));
  return item != nullptr ? given(self, item) : nullptr;
}

PyObject* compare(PyObject* self, PyObject* other, int operation) {
  RealValues values;
  PyObject* real = values.to_real(other);
  PyObject* result = real != nullptr ? PyObject_RichCompare(real_of(self), real, operation) : nullptr;
  Py_XDECREF(real);
  return values.from_real(result);
}

PyObject* represent(PyObject* self) { return PyObject_Repr(real_of(self)); }
Py_hash_t hash(PyObject* self) { return PyObject_Hash(real_of(self)); }

void deallocate(PyObject* self) {
  Py_DECREF(real_of(self));
  PyObject_Free(self);
}

// Methods that Python looks up on the type.
PyObject* as_array(PyObject* self, PyObject* args, PyObject* kwargs) {
  PyObject* method = PyObject_GetAttrString(real_of(self), "__array__");
  PyObject* array = method != nullptr ? PyObject_Call(method, args, kwargs) : nullptr;
  Py_XDECREF(method);
  return array;
}

PyObject* enter(PyObject* self, PyObject*) { return given(self, PyObject_CallMethod(real_of(self), "__enter__", nullptr)); }

PyObject* leave(PyObject* self, PyObject* args) {
  PyObject* method = PyObject_GetAttrString(real_of(self), "__exit__");
  PyObject* result = method != nullptr ? PyObject_CallObject(method, args) : nullptr;
  Py_XDECREF(method);
  return result;
}

PyObject* copy_iterator(PyObject* self, PyObject*) {
  return over_real_iterator(PyObject_CallMethod(real_of(self), "copy", nullptr));
}

PyObject* list_attributes(PyObject* self, PyObject*) { return PyObject_Dir(real_of(self)); }

PyMethodDef flat_methods[] = {
    {"__array__", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(as_array)), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"__dir__", list_attributes, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};
PyMethodDef nditer_methods[] = {{"__enter__", enter, METH_NOARGS, nullptr},
                                {"__exit__", leave, METH_VARARGS, nullptr},
                                {"__copy__", copy_iterator, METH_NOARGS, nullptr},
                                {"__dir__", list_attributes, METH_NOARGS, nullptr},
                                {nullptr, nullptr, 0, nullptr}};

PyMappingMethods mapping = {length, get_item, set_item};

void fill_type(PyTypeObject* type, const char* name, PyMethodDef* methods) {
  *type = blank_type();
  type->tp_name = name;
  type->tp_basicsize = sizeof(RealIterator);
  type->tp_dealloc = deallocate;
  type->tp_getattro = get_attribute;
  type->tp_setattro = set_attribute;
  type->tp_as_mapping = &mapping;
  type->tp_iter = PyObject_SelfIter;
  type->tp_iternext = next_item;
  type->tp_richcompare = compare;
  type->tp_hash = hash;
  type->tp_repr = represent;
  type->tp_methods = methods;
  type->tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION;
}

// numpy.nditer(...) over our arrays' memory. NumPy's class, too, is none that another could be derived from.
PyObject* new_nditer(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  RealValues values;
  PyObject* real_args = values.to_real(args);
  PyObject* real_kwargs = kwargs != nullptr && real_args != nullptr ? values.to_real(kwargs) : nullptr;
  PyObject* iterator = nullptr;
  if (real_args != nullptr && (kwargs == nullptr || real_kwargs != nullptr))
    iterator = PyObject_Call(real_nditer, real_args, real_kwargs);
  Py_XDECREF(real_args);
  Py_XDECREF(real_kwargs);
  return over_real_iterator(iterator);
}

// What the class itself answers (its methods, which help() lists, and its text) is NumPy's.
bool make_nditer_class(PyObject* module) {
  PyObject* numpy = PyImport_ImportModule("numpy");
  real_nditer = numpy != nullptr ? PyObject_GetAttrString(numpy, "nditer") : nullptr;
  Py_XDECREF(numpy);
  if (real_nditer == nullptr) return false;
  NditerType.tp_flags = Py_TPFLAGS_DEFAULT;
  NditerType.tp_new = new_nditer;
  NditerType.tp_doc = reinterpret_cast<PyTypeObject*>(real_nditer)->tp_doc;
  if (PyType_Ready(&NditerType) < 0) return false;
  PyObject* real_names = PyObject_GetAttrString(real_nditer, "__dict__");
  const int status = real_names != nullptr ? PyDict_Merge(NditerType.tp_dict, real_names, 0) : -1;
  Py_XDECREF(real_names);
  PyType_Modified(&NditerType);
  return status == 0 && PyModule_AddObjectRef(module, "nditer", reinterpret_cast<PyObject*>(&NditerType)) == 0;
}

PyObject* module_real_iterator(PyObject*, PyObject* real) { return over_real_iterator(Py_NewRef(real)); }
PyMethodDef module_methods[] = {
    {"real_iterator", module_real_iterator, METH_O, "A numpy.nditer or numpy.flatiter that gives ours for real arrays."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

PyObject* over_real_iterator(PyObject* real) {
  if (real == nullptr) return nullptr;
  auto* self = PyObject_New(RealIterator, Py_TYPE(real) == &PyArrayIter_Type ? &FlatType : &NditerType);
  if (self == nullptr) {
    Py_DECREF(real);
    return nullptr;
  }
  self->real = real;
  return reinterpret_cast<PyObject*>(self);
}

PyObject* real_iterator_of(PyObject* object) {
  return Py_TYPE(object) == &FlatType || Py_TYPE(object) == &NditerType ? real_of(object) : nullptr;
}

bool register_real_iterator(PyObject* module) {
  fill_type(&FlatType, "numpy.flatiter", flat_methods);
  fill_type(&NditerType, "numpy.nditer", nditer_methods);
  return PyType_Ready(&FlatType) == 0 && make_nditer_class(module) && PyModule_AddFunctions(module, module_methods) == 0;
}

}  // namespace manycore::python
