// Methods that change the shape: views where NumPy gives views.
#include "bindings/exchange.h"
#include "bindings/methods.h"
#include "evaluate/assign.h"

namespace manycore::python {

namespace {

// Extents from reshape(3, 4) or reshape((3, 4)).
bool dims_from_arguments(PyObject* const* args, Py_ssize_t count, Dims* dims) {
  if (count == 1) return read_dims(args[0], dims) == 1;
  if (count > kMaxDims) return false;
  dims->resize(static_cast<int>(count));
  for (int i = 0; i < count; ++i) {
    if (read_integer(args[i], &(*dims)[i]) != 1) return false;
  }
  return true;
}

// Fills in one -1. False where NumPy raises.
bool complete_shape(Dims* shape, int64_t size) {
  int64_t known = 1;
  int open = -1;
  for (int i = 0; i < shape->size(); ++i) {
    if ((*shape)[i] >= 0) {
      if (__builtin_mul_overflow(known, (*shape)[i], &known)) return false;
    } else if ((*shape)[i] == -1 && open < 0) {
      open = i;
    } else {
      return false;
    }
  }
  if (open < 0) return known == size;
  if (known == 0 || size % known != 0) return false;
  (*shape)[open] = size / known;
  return true;
}

bool is_c_order(PyObject* order) {
  return is_absent(order) || (PyUnicode_Check(order) && (PyUnicode_CompareWithASCIIString(order, "C") == 0 ||
                                                         PyUnicode_CompareWithASCIIString(order, "c") == 0));
}

PyObject* flat_view(PyObject* self, const Array& array) {
  View view;
  view.data = array.described().data;
  view.dtype = array.dtype();
  view.shape = Dims{array.size()};
  view.strides = Dims{item_size(array.dtype())};
  return wrap_view(std::move(view), self);
}

PyObject* flat_copy(Array array) {
  Array copied;
  {
    ReleaseGil released(array.size());
    copied = evaluate::copy(array.view_to_read(), evaluate::CopyOrder::kC);
  }
  return wrap(copied.reshape(Dims{array.size()}));
}

}  // namespace

MANYCORE_METHOD(method_reshape) {
  const Call call{args, nargs, keywords};
  const Array array = array_of(self);
  Dims shape;
  const bool plain = nargs > 0 && !keywords && dims_from_arguments(args, nargs, &shape) && complete_shape(&shape, array.size());
  if (!plain) return call_real_method_wrapped(self, "reshape", call);
  return guarded([&]() -> PyObject* {
    View view;
    if (try_reshape(array.described(), shape, false, &view)) return wrap_view(std::move(view), self);
    Array copied;
    {
      ReleaseGil released(array.size());
      copied = evaluate::copy(array.view_to_read(), evaluate::CopyOrder::kC);
    }
    return view_of_new(copied, copied.reshape(shape));
  });
}

MANYCORE_METHOD(method_transpose) {
  const Array& array = array_of(self);
  const bool reversed = nargs == 0 || (nargs == 1 && args[0] == Py_None);
  Dims permutation;
  if (!keywords && reversed) return guarded([&] { return wrap_view(array.transpose(), self); });
  bool valid = !keywords && dims_from_arguments(args, nargs, &permutation) && permutation.size() == array.ndim();
  uint64_t seen = 0;
  for (int i = 0; valid && i < permutation.size(); ++i) {
    int64_t& axis = permutation[i];
    if (axis < 0) axis += array.ndim();
    valid = axis >= 0 && axis < array.ndim() && !(seen >> axis & 1);
    if (valid) seen |= uint64_t{1} << axis;
  }
  if (!valid) return call_real_method_wrapped(self, "transpose", {args, nargs, keywords});
  return guarded([&] { return wrap_view(array.transpose(permutation), self); });
}

MANYCORE_METHOD(method_swapaxes) {
  const Array& array = array_of(self);
  int64_t first = 0;
  int64_t second = 0;
  const int ndim = array.ndim();
  bool valid = !keywords && nargs == 2 && read_integer(args[0], &first) == 1 && read_integer(args[1], &second) == 1;
  if (first < 0) first += ndim;
  if (second < 0) second += ndim;
  valid = valid && first >= 0 && first < ndim && second >= 0 && second < ndim;
  if (!valid) return call_real_method_wrapped(self, "swapaxes", {args, nargs, keywords});
  return guarded([&] {
    View view = array.described();
    std::swap(view.shape[static_cast<int>(first)], view.shape[static_cast<int>(second)]);
    std::swap(view.strides[static_cast<int>(first)], view.strides[static_cast<int>(second)]);
    return wrap_view(std::move(view), self);
  });
}

MANYCORE_METHOD(method_squeeze) {
  static Parameters<1> parameters(1, {"axis"});
  PyObject* values[1];
  const Call call{args, nargs, keywords};
  const Array& array = array_of(self);
  Dims axes;
  const bool matched = parameters.match(call, values);
  const bool all = matched && is_absent(values[0]);
  bool valid = matched && (all || read_axes(values[0], array.ndim(), &axes) == 1);
  // NumPy gives the array itself where nothing goes away.
  if (all && std::find(array.shape().begin(), array.shape().end(), 1) == array.shape().end()) return Py_NewRef(self);
  for (int64_t axis : axes) valid = valid && array.shape()[static_cast<int>(axis)] == 1;
  if (!valid) return call_real_method_wrapped(self, "squeeze", call);
  return guarded([&] {
    View view;
    view.data = array.described().data;
    view.dtype = array.dtype();
    for (int i = 0; i < array.ndim(); ++i) {
      const bool dropped = all ? array.shape()[i] == 1 : std::find(axes.begin(), axes.end(), i) != axes.end();
      if (dropped) continue;
      view.shape.push_back(array.shape()[i]);
      view.strides.push_back(array.strides()[i]);
    }
    return wrap_view(std::move(view), self);
  });
}

MANYCORE_METHOD(method_ravel) {
  static Parameters<1> parameters(1, {"order"});
  PyObject* values[1];
  const Call call{args, nargs, keywords};
  if (!parameters.match(call, values) || !is_c_order(values[0])) return call_real_method_wrapped(self, "ravel", call);
  const Array& array = array_of(self);
  return guarded([&]() -> PyObject* {
    if (array.ndim() == 1 && array.is_c_contiguous()) return wrap_view(array, self);
    return array.is_c_contiguous() ? flat_view(self, array) : flat_copy(array);
  });
}

MANYCORE_METHOD(method_flatten) {
  static Parameters<1> parameters(1, {"order"});
  PyObject* values[1];
  const Call call{args, nargs, keywords};
  if (!parameters.match(call, values) || !is_c_order(values[0])) return call_real_method_wrapped(self, "flatten", call);
  return guarded([&] {
    const Array& array = array_of(self);
    return array.size() == 0 ? wrap(Array::empty(Dims{0}, array.dtype())) : flat_copy(array);
  });
}

// The installed release's words about an array that others hold, from an array of its own that is held twice.
PyObject* refuse_resize(bool is_weakly_referenced) {
  npy_intp one = 1;
  PyObject* real = PyArray_ZEROS(1, &one, NPY_DOUBLE, 0);
  PyObject* weak = real != nullptr && is_weakly_referenced ? PyWeakref_NewRef(real, nullptr) : nullptr;
  PyObject* held[] = {Py_XNewRef(real), Py_XNewRef(real)};
  PyObject* done = real != nullptr ? PyObject_CallMethod(real, "resize", "i", 3) : nullptr;
  Py_XDECREF(held[0]);
  Py_XDECREF(held[1]);
  Py_XDECREF(weak);
  Py_XDECREF(real);
  if (done != nullptr) {
    Py_DECREF(done);
    PyErr_SetString(PyExc_ValueError, "cannot resize an array that is referenced elsewhere; try np.resize or refcheck=False");
  }
  return nullptr;
}

// In place, for arrays that own their memory and that nothing else shows (NumPy's reference check counts Python references).
MANYCORE_METHOD(method_resize) {
  auto* object = reinterpret_cast<ArrayObject*>(self);
  Py_ssize_t positional = nargs;
  bool check_references = true;
  if (keywords) {
    static Parameters<1> parameters(0, {"refcheck"});
    PyObject* values[1];
    if (!parameters.match({args + nargs, 0, keywords}, values)) {
      return call_real_method_wrapped(self, "resize", {args, nargs, keywords});  // NumPy words the error
    }
    if (values[0] && !PyIndex_Check(values[0])) return call_real_method_wrapped(self, "resize", {args, nargs, keywords});
    const int checked = values[0] ? PyObject_IsTrue(values[0]) : 1;
    if (checked < 0) return nullptr;
    check_references = checked != 0;
  }
  Dims shape;
  if (positional == 0 || (positional == 1 && args[0] == Py_None)) Py_RETURN_NONE;
  if (!dims_from_arguments(args, positional, &shape)) return call_real_method_wrapped(self, "resize", {args, nargs, keywords});
  return guarded([&]() -> PyObject* {
    if (std::any_of(shape.begin(), shape.end(), [](int64_t extent) { return extent < 0; })) {
      throw UserError(ErrorKind::kValue, "negative dimensions not allowed");
    }
    const Array& array = object->array;
    if (!array.is_c_contiguous() && !array.described().is_f_contiguous()) {
      throw UserError(ErrorKind::kValue, "resize only works on single-segment arrays");
    }
    if (checked_size(shape, item_size(array.dtype())) == array.size()) {
      Array same = array.with_view(array.view());
      View view = array.view();
      view.shape = shape;
      view.strides = c_strides(shape, item_size(view.dtype));
      drop_numpy_view(object);
      object->array = same.with_view(std::move(view));
      Py_RETURN_NONE;
    }
    drop_numpy_view(object);
    if (object->base || !object->writeable) {
      throw UserError(ErrorKind::kValue, "cannot resize this array: it does not own its data");
    }
    // One reference is the caller's variable, one the call's.
    if (check_references && (Py_REFCNT(self) > 2 || object->weak_references || array.buffer()->references() > 1)) {
      return refuse_resize(object->weak_references != nullptr);
    }
    Array grown = Array::zeros(shape, array.dtype());
    std::memcpy(grown.data(), array.data(), static_cast<size_t>(std::min(grown.nbytes(), array.nbytes())));
    object->array = std::move(grown);
    Py_RETURN_NONE;
  });
}

}  // namespace manycore::python
