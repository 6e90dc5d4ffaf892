// Methods that copy, convert or fill elements, and the protocols of copying.
#include "bindings/exchange.h"
#include "bindings/flags.h"
#include "bindings/methods.h"
#include "bindings/scalar.h"
#include "evaluate/assign.h"

namespace manycore::python {

namespace {

using evaluate::CopyOrder;

// False for what NumPy must judge.
bool read_order(PyObject* object, CopyOrder fallback, CopyOrder* order) {
  *order = fallback;
  if (is_absent(object)) return true;
  if (!PyUnicode_Check(object) || PyUnicode_GetLength(object) != 1) return false;
  switch (PyUnicode_ReadChar(object, 0)) {
    case 'C':
    case 'c':
      *order = CopyOrder::kC;
      return true;
    case 'F':
    case 'f':
      *order = CopyOrder::kF;
      return true;
    case 'A':
    case 'a':
      *order = CopyOrder::kA;
      return true;
    case 'K':
    case 'k':
      *order = CopyOrder::kK;
      return true;
    default:
      return false;
  }
}

bool read_casting(PyObject* object, Casting* casting) {
  *casting = Casting::kUnsafe;
  if (is_absent(object, false)) return true;
  const char* text = PyUnicode_Check(object) ? PyUnicode_AsUTF8(object) : nullptr;
  if (!text) {
    PyErr_Clear();
    return false;
  }
  for (Casting rule : {Casting::kNo, Casting::kEquiv, Casting::kSafe, Casting::kSameKind, Casting::kUnsafe}) {
    if (std::strcmp(text, name_of(rule)) == 0) {
      *casting = rule;
      return true;
    }
  }
  return false;
}

PyObject* copy_of(PyObject* self, CopyOrder order) {
  return guarded([&] {
    const Array array = array_of(self);  // kept: another thread may resize the object meanwhile
    Array copied;
    if (!evaluate::record_copy(array, array.dtype(), order, &copied)) {
      ReleaseGil released(array.size());
      copied = evaluate::copy(array.view_to_read(), order);
    }
    return wrap(std::move(copied));
  });
}

// Does `array` already lie as a conversion with this order would lay it out?
bool has_order(const Array& array, CopyOrder order) {
  switch (order) {
    case CopyOrder::kC:
      return array.is_c_contiguous();
    case CopyOrder::kF:
      return array.described().is_f_contiguous();
    case CopyOrder::kA:
      return array.is_c_contiguous() || array.described().is_f_contiguous();
    case CopyOrder::kK:
      return true;
  }
  return false;
}

PyObject* converted(PyObject* self, DType dtype, CopyOrder order) {
  const Array array = array_of(self);  // kept, as above
  if (warn_discards_imaginary(array.dtype(), dtype) < 0) return nullptr;
  return guarded([&]() -> PyObject* {
    unsigned status = 0;
    Array result;
    if (!evaluate::record_copy(array, dtype, order, &result)) {
      ReleaseGil released(array.size());
      result = evaluate::astype(array.view_to_read(), dtype, order, &status);
    }
    if (report_floating_point(status, "cast") < 0) return nullptr;
    return wrap(std::move(result));
  });
}

bool is_our_kind(PyObject* type) {
  return type == reinterpret_cast<PyObject*>(&ArrayType) || type == reinterpret_cast<PyObject*>(&PyArray_Type);
}

PyObject* element_as_number(const Array& array, const std::byte* element) { return python_number_from(element, array.dtype()); }

}  // namespace

MANYCORE_METHOD(method_copy) {
  static Parameters<1> parameters(1, {"order"});
  PyObject* values[1];
  CopyOrder order;
  if (parameters.match({args, nargs, keywords}, values) && read_order(values[0], CopyOrder::kC, &order))
    return copy_of(self, order);
  return call_real_method_wrapped(self, "copy", {args, nargs, keywords});
}

MANYCORE_METHOD(method_astype) {
  static Parameters<5> parameters(5, {"dtype", "order", "casting", "subok", "copy"});
  PyObject* values[5];
  const Call call{args, nargs, keywords};
  DType dtype;
  CopyOrder order;
  Casting casting;
  bool copies = true;
  const bool understood = parameters.match(call, values) && values[0] && read_dtype(values[0], &dtype) == 1 &&
                          read_order(values[1], CopyOrder::kK, &order) && read_casting(values[2], &casting) &&
                          (!values[4] || read_flag(values[4], &copies) == 1);
  if (!understood) return fall_back_to_method(self, "astype", call, "dtype or argument");
  const Array& array = array_of(self);
  if (!can_cast(array.dtype(), dtype, casting)) return retry_real_method(self, "astype", call, "casting");
  if (!copies && dtype == array.dtype() && has_order(array, order)) return Py_NewRef(self);
  return converted(self, dtype, order);
}

// view(), view(dtype), view(type): memory is shared; a type other than ndarray gives NumPy's subclass.
MANYCORE_METHOD(method_view) {
  const Call call{args, nargs, keywords};
  const Array& array = array_of(self);
  if (!keywords && (nargs == 0 || (nargs == 1 && is_our_kind(args[0])))) {
    return guarded([&] { return wrap_view(array, self); });
  }
  DType dtype;
  if (!keywords && nargs == 1 && !PyType_Check(args[0]) && read_dtype(args[0], &dtype) == 1 &&
      item_size(dtype) == item_size(array.dtype())) {
    return guarded([&]() -> PyObject* {
      View view = array.described();
      view.dtype = dtype;
      return wrap_view(std::move(view), self);
    });
  }
  return call_real_method_wrapped(self, "view", call);
}

MANYCORE_METHOD(method_fill) {
  static Parameters<1> parameters(1, {"value"});
  PyObject* values[1];
  const Call call{args, nargs, keywords};
  OperandHolder holder;
  const bool is_number = parameters.match(call, values) && values[0] && !is_array(values[0]) &&
                         convert_operand(values[0], &holder) == 1 && holder.is_scalar &&
                         reinterpret_cast<ArrayObject*>(self)->writeable;
  if (!is_number) return call_real_method_wrapped(self, "fill", call);
  if (store_value(array_of(self), values[0]) < 0) return nullptr;
  Py_RETURN_NONE;
}

MANYCORE_METHOD(method_item) {
  const Array& array = array_of(self);
  if (!keywords && nargs == 0 && array.size() == 1) return guarded([&] { return element_as_number(array, array.data()); });
  int64_t position;
  if (!keywords && nargs == 1 && array.ndim() == 1 && PyLong_CheckExact(args[0]) &&
      position_on_axis(args[0], array.shape()[0], &position)) {
    return guarded([&] { return element_as_number(array, array.data() + position * array.strides()[0]); });
  }
  return call_real_method(self, "item", {args, nargs, keywords});
}

MANYCORE_METHOD(method_setflags) {
  static Parameters<3> parameters(3, {"write", "align", "uic"});
  PyObject* values[3];
  if (!parameters.match({args, nargs, keywords}, values)) return call_real_method(self, "setflags", {args, nargs, keywords});
  auto* object = reinterpret_cast<ArrayObject*>(self);
  const int write = is_absent(values[0]) ? -2 : PyObject_IsTrue(values[0]);
  const int align = is_absent(values[1]) ? 1 : PyObject_IsTrue(values[1]);
  const int write_back = is_absent(values[2]) ? 0 : PyObject_IsTrue(values[2]);
  if (write == -1 || align == -1 || write_back == -1) return nullptr;
  if (align == 0 || write_back == 1) {
    PyErr_SetString(PyExc_ValueError, align == 0 ? "cannot set ALIGNED flag to False of an array of manycore"
                                                 : "cannot set WRITEBACKIFCOPY flag to True");
    return nullptr;
  }
  if (write >= 0 && set_writeable(object, write == 1) < 0) return nullptr;
  Py_RETURN_NONE;
}

// The real array over our memory; a copy only where dtype or copy= asks for one, as numpy.ndarray.__array__ does.
MANYCORE_METHOD(method_array) {
  if (nargs == 0 && !keywords) return to_numpy(self);
  return call_real_method(self, "__array__", {args, nargs, keywords});
}

PyObject* method_shallow_copy(PyObject* self, PyObject*) { return copy_of(self, CopyOrder::kK); }
PyObject* method_deep_copy(PyObject* self, PyObject*) { return copy_of(self, CopyOrder::kK); }

PyObject* method_size_of(PyObject* self, PyObject*) {
  const auto* object = reinterpret_cast<ArrayObject*>(self);
  return PyLong_FromLongLong(PyArray_Type.tp_basicsize + 2 * object->array.ndim() * static_cast<int64_t>(sizeof(npy_intp)) +
                             (owns_data(object) ? object->array.nbytes() : 0));
}

PyObject* method_complex(PyObject* self, PyObject*) {
  const Array& array = array_of(self);
  if (array.ndim() != 0) return call_real_method(self, "__complex__", {nullptr, 0, nullptr});
  PyObject* scalar = guarded([&] { return scalar_from(array.data(), array.dtype()); });
  if (!scalar) return nullptr;
  PyObject* number = PyObject_CallOneArg(reinterpret_cast<PyObject*>(&PyComplex_Type), scalar);
  Py_DECREF(scalar);
  return number;
}

// Takes over what the state describes, as NumPy's does: only pickles of subclasses and hand-written ones come here.
PyObject* method_set_state(PyObject* self, PyObject* state) {
  auto* object = reinterpret_cast<ArrayObject*>(self);
  PyObject* real = PyObject_CallFunction(reinterpret_cast<PyObject*>(&PyArray_Type), "((i))", 0);
  PyObject* done = real ? PyObject_CallMethod(real, "__setstate__", "(O)", state) : nullptr;
  PyObject* made = done ? from_numpy(real) : nullptr;
  Py_XDECREF(done);
  Py_XDECREF(real);
  if (!made) return nullptr;
  if (!is_array(made)) {
    PyErr_Format(PyExc_TypeError,
                 "__setstate__: expected the state of an array of manycore's dtypes, got one of %R; try "
                 "numpy.ndarray",
                 reinterpret_cast<PyObject*>(PyArray_DESCR(reinterpret_cast<PyArrayObject*>(made))));
    Py_DECREF(made);
    return nullptr;
  }
  drop_numpy_view(object);
  object->array = array_of(made);
  Py_DECREF(made);
  Py_RETURN_NONE;
}

}  // namespace manycore::python
