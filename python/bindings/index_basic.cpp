#include "bindings/index_basic.h"

namespace manycore::python {

namespace {

// The view under construction, on the stack: most have one or two dimensions.
struct Builder {
  std::byte* data;
  const int64_t* source_shape;
  const int64_t* source_strides;
  int64_t shape[kMaxDims];
  int64_t strides[kMaxDims];
  int ndim = 0;

  void keep(int axis) {
    shape[ndim] = source_shape[axis];
    strides[ndim++] = source_strides[axis];
  }
  bool take_integer(PyObject* integer, int axis) {
    int64_t position;
    if (!place_on_axis(integer, source_shape[axis], &position)) return false;
    data += position * source_strides[axis];
    return true;
  }
  bool take_slice(PyObject* slice, int axis) {
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(slice, &start, &stop, &step) < 0) {
      PyErr_Clear();  // raised again by the plan
      return false;
    }
    const Py_ssize_t count = PySlice_AdjustIndices(source_shape[axis], &start, &stop, step);
    // NumPy leaves pointer and stride of an empty slice as they were.
    if (count > 0) data += start * source_strides[axis];
    shape[ndim] = count;
    strides[ndim++] = count > 0 ? source_strides[axis] * step : source_strides[axis];
    return true;
  }
};

// How many axes the items use up; -1 when an item is not for here.
int axes_used(PyObject* const* items, Py_ssize_t count, bool* has_ellipsis) {
  int used = 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (PySlice_Check(items[i]) || is_integer_index(items[i])) {
      ++used;
    } else if (items[i] == Py_Ellipsis && !*has_ellipsis) {
      *has_ellipsis = true;
    } else if (items[i] != Py_None) {
      return -1;
    }
  }
  return used;
}

}  // namespace

BasicIndex basic_index(const View& view, PyObject* index, View* result) {
  PyObject* const* items = &index;
  Py_ssize_t count = 1;
  if (PyTuple_CheckExact(index)) {
    items = &PyTuple_GET_ITEM(index, 0);
    count = PyTuple_GET_SIZE(index);
  }
  const int ndim = view.ndim();
  bool has_ellipsis = false;
  const int used = axes_used(items, count, &has_ellipsis);
  if (used < 0 || used > ndim || ndim - used + count > kMaxDims) return BasicIndex::kOther;
  Builder builder;
  builder.data = view.data;
  builder.source_shape = view.shape.data();
  builder.source_strides = view.strides.data();
  int axis = 0;
  bool integers_only = true;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = items[i];
    if (is_integer_index(item)) {
      if (!builder.take_integer(item, axis++)) return BasicIndex::kOther;
      continue;
    }
    integers_only = false;
    if (item == Py_None) {
      builder.shape[builder.ndim] = 1;
      builder.strides[builder.ndim++] = 0;
    } else if (item == Py_Ellipsis) {
      for (int hidden = ndim - used; hidden > 0; --hidden) builder.keep(axis++);
    } else if (!builder.take_slice(item, axis++)) {
      return BasicIndex::kOther;
    }
  }
  while (axis < ndim) builder.keep(axis++);
  result->data = builder.data;
  if (integers_only && builder.ndim == 0) return BasicIndex::kElement;
  result->dtype = view.dtype;
  result->shape = Dims(std::span<const int64_t>(builder.shape, static_cast<size_t>(builder.ndim)));
  result->strides = Dims(std::span<const int64_t>(builder.strides, static_cast<size_t>(builder.ndim)));
  return BasicIndex::kView;
}

}  // namespace manycore::python
