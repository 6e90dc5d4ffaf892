#include "bindings/metatype.h"

#include "bindings/numpy_api.h"

namespace manycore::python {

namespace {

PyObject* real_type() { return reinterpret_cast<PyObject*>(&PyArray_Type); }
PyObject* our_type() { return reinterpret_cast<PyObject*>(&ArrayType); }

// A class with our type among its bases: the same class over NumPy's type. Instances are NumPy's, with every hook of
// subclasses (__array_finalize__, __array_ufunc__, ...) as written for NumPy.
PyObject* make_class(PyTypeObject* metatype, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) != 3 || !PyTuple_Check(PyTuple_GET_ITEM(args, 1))) {
    PyErr_SetString(PyExc_TypeError, "type.__new__() takes exactly 3 arguments");
    return nullptr;
  }
  PyObject* bases = PyTuple_GET_ITEM(args, 1);
  const Py_ssize_t count = PyTuple_GET_SIZE(bases);
  PyObject* real_bases = PyTuple_New(count);
  if (!real_bases) return nullptr;
  PyTypeObject* winner = &PyType_Type;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* base = PyTuple_GET_ITEM(bases, i);
    if (base == our_type()) base = real_type();
    if (PyType_IsSubtype(Py_TYPE(base), winner)) winner = Py_TYPE(base);
    PyTuple_SET_ITEM(real_bases, i, Py_NewRef(base));
  }
  PyObject* real_args = PyTuple_Pack(3, PyTuple_GET_ITEM(args, 0), real_bases, PyTuple_GET_ITEM(args, 2));
  Py_DECREF(real_bases);
  if (!real_args) return nullptr;
  PyObject* made = PyObject_Call(reinterpret_cast<PyObject*>(winner), real_args, kwargs);
  Py_DECREF(real_args);
  return made;
}

PyObject* check_instance(PyObject* cls, PyObject* object) { return PyBool_FromLong(is_array(object) || PyArray_Check(object)); }

PyObject* check_subclass(PyObject* cls, PyObject* type) {
  if (!PyType_Check(type)) return PyErr_Format(PyExc_TypeError, "issubclass() arg 1 must be a class");
  auto* candidate = reinterpret_cast<PyTypeObject*>(type);
  return PyBool_FromLong(candidate == &ArrayType || PyType_IsSubtype(candidate, &PyArray_Type));
}

// Equal to NumPy's type, so that `type(x) == np.ndarray` and tables by type serve both kinds of array, on both sides.
PyObject* compare_types(PyObject* left, PyObject* right, int operation) {
  if (operation != Py_EQ && operation != Py_NE) Py_RETURN_NOTIMPLEMENTED;
  const bool equal =
      left == right || (left == our_type() && right == real_type()) || (left == real_type() && right == our_type());
  return PyBool_FromLong(equal == (operation == Py_EQ));
}

Py_hash_t hash_type(PyObject* cls) { return PyObject_Hash(cls == our_type() ? real_type() : cls); }

// np.ndarray.name taken from the class: a descriptor that serves arrays of both sides.
struct SharedDescriptor {
  PyObject_HEAD PyObject* ours;
  PyObject* real;
};
extern PyTypeObject SharedDescriptorType;
PyTypeObject SharedMethodType;  // the same for methods, which cannot be set: inspect tells them apart by that

PyObject* side_for(SharedDescriptor* self, PyObject* instance) { return is_array(instance) ? self->ours : self->real; }

void deallocate_descriptor(PyObject* object) {
  auto* self = reinterpret_cast<SharedDescriptor*>(object);
  Py_DECREF(self->ours);
  Py_DECREF(self->real);
  PyObject_Free(object);
}

PyObject* call_descriptor(PyObject* object, PyObject* args, PyObject* kwargs) {
  auto* self = reinterpret_cast<SharedDescriptor*>(object);
  PyObject* target = PyTuple_GET_SIZE(args) > 0 ? side_for(self, PyTuple_GET_ITEM(args, 0)) : self->real;
  return PyObject_Call(target, args, kwargs);
}

PyObject* bind_descriptor(PyObject* object, PyObject* instance, PyObject* owner) {
  auto* self = reinterpret_cast<SharedDescriptor*>(object);
  if (!instance || instance == Py_None) return Py_NewRef(object);
  PyObject* target = side_for(self, instance);
  descrgetfunc get = Py_TYPE(target)->tp_descr_get;
  return get ? get(target, instance, reinterpret_cast<PyObject*>(Py_TYPE(instance))) : Py_NewRef(target);
}

int set_descriptor(PyObject* object, PyObject* instance, PyObject* value) {
  PyObject* target = side_for(reinterpret_cast<SharedDescriptor*>(object), instance);
  descrsetfunc set = Py_TYPE(target)->tp_descr_set;
  if (set) return set(target, instance, value);
  PyErr_SetString(PyExc_AttributeError, "attribute of 'numpy.ndarray' objects is not writable");
  return -1;
}

PyObject* descriptor_attribute(PyObject* object, PyObject* name) {
  PyObject* value = PyObject_GenericGetAttr(object, name);
  if (value || !PyErr_ExceptionMatches(PyExc_AttributeError)) return value;
  PyErr_Clear();
  return PyObject_GetAttr(reinterpret_cast<SharedDescriptor*>(object)->real, name);
}

// In the type and not in descriptor_attribute: help() asks object.__getattribute__ for it.
PyObject* descriptor_doc(PyObject* object, void*) {
  return PyObject_GetAttrString(reinterpret_cast<SharedDescriptor*>(object)->real, "__doc__");
}

PyGetSetDef descriptor_getters[] = {{"__doc__", descriptor_doc, nullptr, nullptr, nullptr}, {}};

PyObject* descriptor_repr(PyObject* object) { return PyObject_Repr(reinterpret_cast<SharedDescriptor*>(object)->real); }

PyTypeObject SharedDescriptorType = [] {
  PyTypeObject type = blank_type();
  type.tp_name = "manycore.method_descriptor";
  type.tp_basicsize = sizeof(SharedDescriptor);
  type.tp_dealloc = deallocate_descriptor;
  type.tp_call = call_descriptor;
  type.tp_descr_get = bind_descriptor;
  type.tp_descr_set = set_descriptor;
  type.tp_getattro = descriptor_attribute;
  type.tp_getset = descriptor_getters;
  type.tp_repr = descriptor_repr;
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION;
  return type;
}();

bool is_instance_descriptor(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  return type == &PyMethodDescr_Type || type == &PyWrapperDescr_Type || type == &PyGetSetDescr_Type ||
         type == &PyMemberDescr_Type;
}

PyObject* type_attribute(PyObject* cls, PyObject* name) {
  PyObject* ours = PyType_Type.tp_getattro(cls, name);
  if (!ours) {
    PyErr_Clear();
    return PyObject_GetAttr(real_type(), name);
  }
  if (!is_instance_descriptor(ours)) return ours;
  PyObject* real = PyObject_GetAttr(real_type(), name);
  if (!real) {
    PyErr_Clear();
    return ours;
  }
  if (!is_instance_descriptor(real)) {
    Py_DECREF(real);
    return ours;
  }
  const bool is_method = Py_TYPE(real)->tp_descr_set == nullptr;
  auto* shared = PyObject_New(SharedDescriptor, is_method ? &SharedMethodType : &SharedDescriptorType);
  if (!shared) {
    Py_DECREF(ours);
    Py_DECREF(real);
    return nullptr;
  }
  shared->ours = ours;
  shared->real = real;
  return reinterpret_cast<PyObject*>(shared);
}

// ndarray.__new__(cls, ...): as __new__ of the class that instances of `cls` really have.
PyObject* new_of_class(PyObject* ignored, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) < 1 || !PyType_Check(PyTuple_GET_ITEM(args, 0))) {
    return PyErr_Format(PyExc_TypeError, "ndarray.__new__(): not enough arguments");
  }
  auto* cls = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(args, 0));
  if (cls != &ArrayType && !PyType_IsSubtype(cls, &PyArray_Type)) {
    return PyErr_Format(PyExc_TypeError, "ndarray.__new__(%.100s): %.100s is not a subtype of ndarray", cls->tp_name,
                        cls->tp_name);
  }
  PyObject* rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
  if (!rest) return nullptr;
  PyObject* made = (cls == &ArrayType ? ArrayType : PyArray_Type).tp_new(cls, rest, kwargs);
  Py_DECREF(rest);
  return made;
}

PyMethodDef new_method = {"__new__", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(new_of_class)),
                          METH_VARARGS | METH_KEYWORDS, nullptr};

// pickle names a class by module and name and finds NumPy's there, not ours: ours is written as the type of an empty array.
PyObject* reduce_type(PyObject*, PyObject* cls) {
  PyObject* empty = PyObject_CallFunction(real_type(), "((i))", 0);
  return empty ? Py_BuildValue("O(N)", reinterpret_cast<PyObject*>(&PyType_Type), empty) : nullptr;
}

PyMethodDef reduce_method = {"reduce_ndarray_type", reduce_type, METH_O, nullptr};

bool register_pickling() {
  PyObject* registry = PyImport_ImportModule("copyreg");
  PyObject* function = registry ? PyCFunction_New(&reduce_method, nullptr) : nullptr;
  PyObject* done = function ? PyObject_CallMethod(registry, "pickle", "OO", &ArrayMetaType, function) : nullptr;
  Py_XDECREF(function);
  Py_XDECREF(registry);
  Py_XDECREF(done);
  return done != nullptr;
}

PyMethodDef metatype_methods[] = {
    {"__instancecheck__", check_instance, METH_O, nullptr},
    {"__subclasscheck__", check_subclass, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

PyTypeObject ArrayMetaType = blank_type();

bool register_metatype() {
  PyTypeObject& type = ArrayMetaType;
  type.tp_name = "manycore.ArrayMetaType";
  type.tp_base = &PyType_Type;
  type.tp_basicsize = PyType_Type.tp_basicsize;
  type.tp_itemsize = PyType_Type.tp_itemsize;
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE;
  type.tp_new = make_class;
  type.tp_getattro = type_attribute;
  type.tp_richcompare = compare_types;
  type.tp_hash = hash_type;
  type.tp_methods = metatype_methods;
  SharedMethodType = SharedDescriptorType;
  SharedMethodType.tp_descr_set = nullptr;
  return PyType_Ready(&type) == 0 && PyType_Ready(&SharedDescriptorType) == 0 && PyType_Ready(&SharedMethodType) == 0;
}

bool finish_array_type() {
  PyObject* function = PyCFunction_New(&new_method, nullptr);
  PyObject* method = function ? PyStaticMethod_New(function) : nullptr;
  Py_XDECREF(function);
  if (!method) return false;
  const int status = PyDict_SetItemString(ArrayType.tp_dict, "__new__", method);
  Py_DECREF(method);
  PyType_Modified(&ArrayType);
  return status == 0 && register_pickling();
}

}  // namespace manycore::python
