// The type itself: life of an array object, creation by calling the type, protocols with one slot each.
#include "bindings/array_type.h"

#include <cstddef>

#include "bindings/exchange.h"
#include "bindings/flags.h"
#include "bindings/metatype.h"
#include "bindings/operators.h"
#include "bindings/scalar.h"

namespace manycore::python {

namespace {

// Dead objects kept for the next array: a small view must cost less than NumPy's.
constexpr int kFreeObjects = 128;
PyObject* free_objects[kFreeObjects];
int free_count = 0;

ArrayObject* allocate_object() {
  PyObject* object;
  if (free_count > 0) {
    object = free_objects[--free_count];
    _Py_NewReference(object);  // its type is still there
  } else {
    object = PyObject_Init(static_cast<PyObject*>(PyObject_Malloc(sizeof(ArrayObject))), &ArrayType);
    if (!object) return nullptr;
  }
  return reinterpret_cast<ArrayObject*>(object);
}

// `parts` are what the array is made from, in place.
template <class... Parts>
ArrayObject* make_object(PyObject* base, bool writeable, Parts&&... parts) {
  ArrayObject* self = allocate_object();
  if (!self) return nullptr;
  new (&self->array) Array(std::forward<Parts>(parts)...);
  self->base = Py_XNewRef(base);
  self->weak_references = nullptr;
  self->numpy_view = nullptr;
  self->writeable = writeable;
  self->is_remembered = false;
  return self;
}

void deallocate(PyObject* object) {
  auto* self = reinterpret_cast<ArrayObject*>(object);
  if (self->weak_references) PyObject_ClearWeakRefs(object);
  forget_numpy_view(self);
  self->array.~Array();
  // The base goes last: it may own the memory, and releasing it can run any code.
  PyObject* base = self->base;
  if (free_count < kFreeObjects) {
    free_objects[free_count++] = object;
  } else {
    PyObject_Free(object);
  }
  Py_XDECREF(base);
}

// ndarray(shape, dtype=float, buffer=None, offset=0, strides=None, order=None). What is plain is made here; a given buffer,
// strides, other dtypes and wrong arguments are NumPy's to judge, and what it makes comes back as ours where it can.
PyObject* array_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  Dims shape;
  DType dtype = DType::kFloat64;
  const Py_ssize_t count = PyTuple_GET_SIZE(args);
  const bool plain = (count == 1 || count == 2) && !kwargs && read_dims(PyTuple_GET_ITEM(args, 0), &shape) == 1 &&
                     (count == 1 || read_dtype(PyTuple_GET_ITEM(args, 1), &dtype) == 1) &&
                     std::all_of(shape.begin(), shape.end(), [](int64_t extent) { return extent >= 0; });
  if (plain) return guarded([&] { return wrap(Array::empty(shape, dtype)); });
  PyObject* real = PyArray_Type.tp_new(&PyArray_Type, args, kwargs);
  if (!real) return nullptr;
  PyObject* ours = from_numpy(real);
  Py_DECREF(real);
  return ours;
}

PyObject* array_repr(PyObject* self) {
  PyObject* real = to_numpy(self);
  if (!real) return nullptr;
  PyObject* text = PyObject_Repr(real);
  Py_DECREF(real);
  return text;
}

PyObject* array_str(PyObject* self) {
  PyObject* real = to_numpy(self);
  if (!real) return nullptr;
  PyObject* text = PyObject_Str(real);
  Py_DECREF(real);
  return text;
}

PyObject* array_iterator(PyObject* self) {
  if (array_of(self).ndim() == 0) {
    PyErr_SetString(PyExc_TypeError, "iteration over a 0-d array");
    return nullptr;
  }
  return PySeqIter_New(self);
}

Py_ssize_t array_length(PyObject* self) {
  const Array& array = array_of(self);
  if (array.ndim() == 0) {
    PyErr_SetString(PyExc_TypeError, "len() of unsized object");
    return -1;
  }
  return array.shape()[0];
}

int array_contains(PyObject* self, PyObject* value) {
  PyObject* equal = PyObject_RichCompare(self, value, Py_EQ);
  if (!equal) return -1;
  PyObject* any = is_array(equal) || PyArray_Check(equal) ? PyObject_CallMethod(equal, "any", nullptr) : Py_NewRef(equal);
  Py_DECREF(equal);
  if (!any) return -1;
  const int found = PyObject_IsTrue(any);
  Py_DECREF(any);
  return found;
}

int array_bool(PyObject* self) {
  const Array& array = array_of(self);
  if (array.size() == 1) {
    return guarded([&] { return static_cast<int>(element_is_true(array.data(), array.dtype())); });
  }
  PyObject* real = to_numpy(self);  // raises NumPy's error
  if (!real) return -1;
  const int truth = PyObject_IsTrue(real);
  Py_DECREF(real);
  return truth;
}

// int() and float() of a single element, by its NumPy scalar; arrays of one or more dimensions and complex ones by NumPy (a
// deprecation warning or an error).
template <PyObject* (*kConvert)(PyObject*)>
PyObject* convert_to_number(PyObject* self) {
  const Array& array = array_of(self);
  const bool is_real_number = array.ndim() == 0 && !is_complex(array.dtype());
  PyObject* source = is_real_number ? guarded([&] { return scalar_from(array.data(), array.dtype()); }) : to_numpy(self);
  if (!source) return nullptr;
  PyObject* number = kConvert(source);
  Py_DECREF(source);
  return number;
}

PyObject* array_index(PyObject* self) {
  const Array& array = array_of(self);
  if (array.ndim() == 0 && is_integer(array.dtype())) {
    return guarded([&] { return python_number_from(array.data(), array.dtype()); });
  }
  PyObject* real = to_numpy(self);
  if (!real) return nullptr;
  PyObject* number = PyNumber_Index(real);
  Py_DECREF(real);
  return number;
}

// The real view answers; consumers keep it alive, and it keeps the memory alive.
int array_get_buffer(PyObject* self, Py_buffer* buffer, int flags) {
  PyObject* real = to_numpy(self);
  if (!real) {
    buffer->obj = nullptr;
    return -1;
  }
  const int status = PyObject_GetBuffer(real, buffer, flags);
  Py_DECREF(real);
  return status;
}

// `x + t` arrives here after both sides have declined, operator.concat at once: NumPy's refusal, in its words.
PyObject* array_concatenate(PyObject* self, PyObject* other) {
  PyObject* real = to_numpy(self);
  PyObject* result = real != nullptr ? PySequence_Concat(real, other) : nullptr;
  Py_XDECREF(real);
  return result;
}

PyNumberMethods number_slots;
PySequenceMethods sequence_slots;
PyMappingMethods mapping_slots;
PyBufferProcs buffer_slots;

// NumPy's own documentation and signatures.
void take_method_texts() {
  for (PyMethodDef* method = array_methods; method->ml_name != nullptr; ++method) {
    PyObject* real = PyObject_GetAttrString(reinterpret_cast<PyObject*>(&PyArray_Type), method->ml_name);
    if (real != nullptr && Py_TYPE(real) == &PyMethodDescr_Type) {
      method->ml_doc = reinterpret_cast<PyMethodDescrObject*>(real)->d_method->ml_doc;
    }
    Py_XDECREF(real);
    PyErr_Clear();
  }
}

void fill_slots() {
  fill_number_slots(&number_slots);
  number_slots.nb_bool = array_bool;
  number_slots.nb_int = convert_to_number<PyNumber_Long>;
  number_slots.nb_float = convert_to_number<PyNumber_Float>;
  number_slots.nb_index = array_index;
  sequence_slots.sq_length = array_length;
  sequence_slots.sq_concat = array_concatenate;
  sequence_slots.sq_item = array_item;
  sequence_slots.sq_contains = array_contains;
  mapping_slots.mp_length = array_length;
  mapping_slots.mp_subscript = array_subscript;
  mapping_slots.mp_ass_subscript = array_assign_subscript;
  buffer_slots.bf_getbuffer = array_get_buffer;

  PyTypeObject& type = ArrayType;
  Py_SET_TYPE(&type, &ArrayMetaType);
  type.tp_name = "numpy.ndarray";
  type.tp_basicsize = sizeof(ArrayObject);
  type.tp_weaklistoffset = offsetof(ArrayObject, weak_references);
  type.tp_flags = Py_TPFLAGS_DEFAULT;
  type.tp_dealloc = deallocate;
  type.tp_new = array_new;
  type.tp_repr = array_repr;
  type.tp_str = array_str;
  type.tp_hash = PyObject_HashNotImplemented;
  type.tp_iter = array_iterator;
  type.tp_richcompare = array_richcompare;
  type.tp_as_number = &number_slots;
  type.tp_as_sequence = &sequence_slots;
  type.tp_as_mapping = &mapping_slots;
  type.tp_as_buffer = &buffer_slots;
  type.tp_getset = array_attributes;
  take_method_texts();
  type.tp_methods = array_methods;
  type.tp_doc = PyArray_Type.tp_doc;
}

}  // namespace

PyTypeObject ArrayType = blank_type();

PyObject* wrap(Array array) { return reinterpret_cast<PyObject*>(make_object(nullptr, true, std::move(array))); }

PyObject* wrap_view(Array array, PyObject* parent) {
  auto* owner = reinterpret_cast<ArrayObject*>(parent);
  return reinterpret_cast<PyObject*>(make_object(root_array(owner), owner->writeable, std::move(array)));
}

PyObject* wrap_view(View&& view, PyObject* parent) {
  auto* owner = reinterpret_cast<ArrayObject*>(parent);
  return reinterpret_cast<PyObject*>(make_object(root_array(owner), owner->writeable, owner->array.buffer(), std::move(view)));
}

PyObject* view_of_new(const Array& owner, Array view) {
  PyObject* base = wrap(owner);
  PyObject* made = base != nullptr ? wrap_view(std::move(view), base) : nullptr;
  Py_XDECREF(base);
  return made;
}

PyObject* wrap_or_scalar(Array array) {
  if (array.ndim() == 0) return guarded([&] { return scalar_from(array.data(), array.dtype()); });
  return wrap(std::move(array));
}

bool register_array_type(PyObject* module) {
  if (!register_exchange() || !register_flags() || !register_metatype()) return false;
  fill_slots();
  if (PyType_Ready(&ArrayType) < 0 || !finish_array_type() || !register_real_view()) return false;
  return PyModule_AddObjectRef(module, "ndarray", reinterpret_cast<PyObject*>(&ArrayType)) == 0;
}

}  // namespace manycore::python
