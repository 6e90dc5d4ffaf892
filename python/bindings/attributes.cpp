// The attributes of the array type. What describes layout is answered here; what hands memory out (data, ctypes, flat,
// __array_interface__) by NumPy on the zero-copy view.
#include "bindings/array_type.h"
#include "bindings/exchange.h"
#include "bindings/flags.h"
#include "bindings/real_iterator.h"
#include "bindings/real_values.h"
#include "evaluate/create.h"

namespace manycore::python {

namespace {

ArrayObject* cast(PyObject* self) { return reinterpret_cast<ArrayObject*>(self); }

PyObject* get_shape(PyObject* self, void*) { return tuple_from(array_of(self).shape()); }
PyObject* get_strides(PyObject* self, void*) { return tuple_from(array_of(self).strides()); }
PyObject* get_ndim(PyObject* self, void*) { return PyLong_FromLong(array_of(self).ndim()); }
PyObject* get_size(PyObject* self, void*) { return PyLong_FromLongLong(array_of(self).size()); }
PyObject* get_itemsize(PyObject* self, void*) { return PyLong_FromLongLong(item_size(array_of(self).dtype())); }
PyObject* get_nbytes(PyObject* self, void*) { return PyLong_FromLongLong(array_of(self).nbytes()); }
PyObject* get_dtype(PyObject* self, void*) { return Py_NewRef(descr_of(array_of(self).dtype())); }
PyObject* get_priority(PyObject*, void*) { return PyFloat_FromDouble(0.0); }
PyObject* get_device(PyObject*, void*) { return PyUnicode_InternFromString("cpu"); }
PyObject* get_flags(PyObject* self, void*) { return make_flags(self); }

// Identity (docs/decisions/0001-crossing.md): Python-level isinstance(x, numpy.ndarray) holds in libraries too.
PyObject* get_class(PyObject*, void*) { return Py_NewRef(reinterpret_cast<PyObject*>(&PyArray_Type)); }

PyObject* get_base(PyObject* object, void*) {
  ArrayObject* self = cast(object);
  if (!self->base) Py_RETURN_NONE;
  if (PyArray_CheckExact(self->base)) Py_SETREF(self->base, from_numpy(self->base));
  return Py_XNewRef(self->base);
}

// Layout attributes are set as NumPy sets them on a real view of its own, whose layout is then taken over.
int set_layout(PyObject* object, PyObject* value, const char* name) {
  ArrayObject* self = cast(object);
  if (!value) {
    PyErr_Format(PyExc_AttributeError, "Cannot delete array %s", name);
    return -1;
  }
  // NumPy judges what strides are allowed by the memory that the base shows.
  PyObject* whole = to_numpy(root_array(self));
  PyObject* real = whole ? guarded([&] { return real_over(self->array.view(), self->writeable, whole); }) : nullptr;
  if (!real) return -1;
  int status = PyObject_SetAttrString(real, name, value);
  DType dtype = DType::kFloat64;
  if (status == 0 && !is_usable_real(real, &dtype)) {
    PyErr_Format(PyExc_TypeError,
                 "%s: this array cannot change in place to %R, expected a dtype of manycore and aligned data; "
                 "try .view(dtype)",
                 name, value);
    status = -1;
  }
  // A library's array that is ours too: the library sees the change as well.
  if (status == 0 && self->is_remembered) status = PyObject_SetAttrString(self->numpy_view, name, value);
  if (status == 0) {
    status = guarded([&] {
      Array changed = array_over(reinterpret_cast<PyArrayObject*>(real), dtype);
      if (!self->is_remembered) drop_numpy_view(self);
      self->array = self->array.with_view(changed.view());
      return 0;
    });
  }
  Py_DECREF(real);
  return status;
}

int set_shape(PyObject* self, PyObject* value, void*) { return set_layout(self, value, "shape"); }
int set_strides(PyObject* self, PyObject* value, void*) { return set_layout(self, value, "strides"); }
int set_dtype(PyObject* self, PyObject* value, void*) { return set_layout(self, value, "dtype"); }

PyObject* get_transposed(PyObject* self, void*) {
  return guarded([&] { return wrap_view(array_of(self).transpose(), self); });
}

PyObject* get_matrix_transposed(PyObject* self, void*) {
  const Array& array = array_of(self);
  if (array.ndim() < 2) {
    PyErr_SetString(PyExc_ValueError, "matrix transpose with ndim < 2 is undefined");
    return nullptr;
  }
  return guarded([&] {
    View view = array.described();
    const int last = view.ndim() - 1;
    std::swap(view.shape[last], view.shape[last - 1]);
    std::swap(view.strides[last], view.strides[last - 1]);
    return wrap_view(std::move(view), self);
  });
}

Array part_of(const Array& array, bool imaginary) {
  View view = array.described();
  view.dtype = array.dtype() == DType::kComplex64 ? DType::kFloat32 : DType::kFloat64;
  if (imaginary) view.data += item_size(view.dtype);
  return array.with_view(std::move(view));
}

PyObject* get_real(PyObject* self, void*) {
  const Array& array = array_of(self);
  if (!is_complex(array.dtype())) return Py_NewRef(self);
  return guarded([&] { return wrap_view(part_of(array, false), self); });
}

PyObject* get_imag(PyObject* self, void*) {
  const Array& array = array_of(self);
  return guarded([&]() -> PyObject* {
    if (is_complex(array.dtype())) return wrap_view(part_of(array, true), self);
    const bool fortran = array.described().is_f_contiguous() && !array.is_c_contiguous();
    PyObject* zeros = wrap(Array::zeros(array.shape(), array.dtype(), fortran ? Order::kF : Order::kC));
    if (zeros) cast(zeros)->writeable = false;
    return zeros;
  });
}

int set_part(PyObject* self, PyObject* value, bool imaginary) {
  if (!value) {
    PyErr_SetString(PyExc_AttributeError, imaginary ? "Cannot delete array imaginary part" : "Cannot delete array real part");
    return -1;
  }
  if (!cast(self)->writeable) {
    PyErr_SetString(PyExc_ValueError, "assignment destination is read-only");
    return -1;
  }
  const Array& array = array_of(self);
  if (!is_complex(array.dtype())) {
    if (!imaginary) return store_value(array, value);
    PyObject* real = to_numpy(self);  // refuses in the installed release's words
    const int refused = real != nullptr ? PyObject_SetAttrString(real, "imag", value) : -1;
    Py_XDECREF(real);
    return refused;
  }
  return guarded([&] { return store_value(part_of(array, imaginary), value); });
}

int set_real(PyObject* self, PyObject* value, void*) { return set_part(self, value, false); }
int set_imag(PyObject* self, PyObject* value, void*) { return set_part(self, value, true); }

// `name` of the real zero-copy view: it keeps itself, and with it the memory, alive.
PyObject* get_of_real(PyObject* self, void* name) {
  PyObject* real = to_numpy(self);
  if (!real) return nullptr;
  PyObject* value = PyObject_GetAttrString(real, static_cast<const char*>(name));
  Py_DECREF(real);
  return value;
}

// The answer holds an address as a number: who keeps it reads and writes the memory unseen from now on.
PyObject* get_address_of_real(PyObject* self, void* name) {
  PyObject* value = get_of_real(self, name);
  const BufferRef& buffer = array_of(self).buffer();
  if (value && buffer) buffer->pin();
  return value;
}

PyObject* get_flat(PyObject* self, void* name) { return over_real_iterator(get_of_real(self, name)); }

int set_of_real(PyObject* self, PyObject* value, void* name) {
  PyObject* real = to_numpy(self);
  if (!real) return -1;
  PyObject* real_value = value ? RealValues().to_real(value) : nullptr;
  const int status = PyObject_SetAttrString(real, static_cast<const char*>(name), real_value);
  Py_XDECREF(real_value);
  Py_DECREF(real);
  return status;
}

void* text(const char* name) { return const_cast<char*>(name); }

}  // namespace

PyGetSetDef array_attributes[] = {
    {"shape", get_shape, set_shape, nullptr, nullptr},
    {"strides", get_strides, set_strides, nullptr, nullptr},
    {"dtype", get_dtype, set_dtype, nullptr, nullptr},
    {"ndim", get_ndim, nullptr, nullptr, nullptr},
    {"size", get_size, nullptr, nullptr, nullptr},
    {"itemsize", get_itemsize, nullptr, nullptr, nullptr},
    {"nbytes", get_nbytes, nullptr, nullptr, nullptr},
    {"base", get_base, nullptr, nullptr, nullptr},
    {"flags", get_flags, nullptr, nullptr, nullptr},
    {"T", get_transposed, nullptr, nullptr, nullptr},
    {"mT", get_matrix_transposed, nullptr, nullptr, nullptr},
    {"real", get_real, set_real, nullptr, nullptr},
    {"imag", get_imag, set_imag, nullptr, nullptr},
    {"flat", get_flat, set_of_real, nullptr, text("flat")},
    {"data", get_of_real, nullptr, nullptr, text("data")},
    {"ctypes", get_address_of_real, nullptr, nullptr, text("ctypes")},
    {"device", get_device, nullptr, nullptr, nullptr},
    {"__array_interface__", get_address_of_real, nullptr, nullptr, text("__array_interface__")},
    {"__array_struct__", get_of_real, nullptr, nullptr, text("__array_struct__")},
    {"__array_finalize__", get_of_real, nullptr, nullptr, text("__array_finalize__")},
    {"__array_priority__", get_priority, nullptr, nullptr, nullptr},
    {"__class__", get_class, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

}  // namespace manycore::python
