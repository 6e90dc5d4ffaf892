#include "bindings/index_basic.h"

#include <algorithm>

namespace manycore::python {

namespace {

// What a slice takes of an axis of `extent`, as PySlice_Unpack and PySlice_AdjustIndices say it.
struct Taken {
  Py_ssize_t start;
  Py_ssize_t count;
  Py_ssize_t step;
};

// Bounds that are None or small Python integers and no step: what most slices are, read without a call.
bool read_plain_slice(const PySliceObject* slice, Py_ssize_t extent, Taken* taken) {
  if (slice->step != Py_None) return false;
  Py_ssize_t start = 0, stop = extent;
  if (slice->start != Py_None && !(PyLong_CheckExact(slice->start) && read_compact(slice->start, &start))) return false;
  if (slice->stop != Py_None && !(PyLong_CheckExact(slice->stop) && read_compact(slice->stop, &stop))) return false;
  if (start < 0) start = std::max<Py_ssize_t>(start + extent, 0);
  if (stop < 0) stop += extent;
  start = std::min(start, extent);
  *taken = {start, std::max<Py_ssize_t>(std::min(stop, extent) - start, 0), 1};
  return true;
}

bool read_slice(PyObject* slice, Py_ssize_t extent, Taken* taken) {
  if (read_plain_slice(reinterpret_cast<PySliceObject*>(slice), extent, taken)) return true;
  Py_ssize_t stop;
  if (PySlice_Unpack(slice, &taken->start, &stop, &taken->step) < 0) {
    PyErr_Clear();  // raised again by the plan
    return false;
  }
  taken->count = PySlice_AdjustIndices(extent, &taken->start, &stop, taken->step);
  return true;
}

// The view under construction; its extents and strides have room for all dimensions.
struct Builder {
  std::byte* data;
  const int64_t* source_shape;
  const int64_t* source_strides;
  int64_t* shape;
  int64_t* strides;

  void put(int64_t extent, int64_t stride) {
    *shape++ = extent;
    *strides++ = stride;
  }
  void keep(int axis) { put(source_shape[axis], source_strides[axis]); }
  bool take_integer(PyObject* integer, int axis) {
    int64_t position;
    if (!place_on_axis(integer, source_shape[axis], &position)) return false;
    data += position * source_strides[axis];
    return true;
  }
  bool take_slice(PyObject* slice, int axis) {
    Taken taken;
    if (!read_slice(slice, source_shape[axis], &taken)) return false;
    const int64_t stride = source_strides[axis];
    // NumPy leaves pointer and stride of an empty slice as they were.
    if (taken.count > 0) data += taken.start * stride;
    put(taken.count, taken.count > 0 ? stride * taken.step : stride);
    return true;
  }
};

// What the items of an index are, counted before anything is built.
struct Items {
  int integers = 0;
  int slices = 0;
  int new_axes = 0;
  bool has_ellipsis = false;

  // False when one of them is not for here.
  bool count(PyObject* const* items, Py_ssize_t number) {
    for (Py_ssize_t i = 0; i < number; ++i) {
      PyObject* item = items[i];
      if (PySlice_Check(item)) {
        ++slices;
      } else if (item == Py_None) {
        ++new_axes;
      } else if (item == Py_Ellipsis && !has_ellipsis) {
        has_ellipsis = true;
      } else if (is_integer_index(item)) {
        ++integers;
      } else {
        return false;
      }
    }
    return true;
  }
  int axes_used() const { return integers + slices; }
  bool integers_only() const { return slices + new_axes == 0 && !has_ellipsis; }
};

// Of what makes build() fail: an integer outside its axis is an error, anything else is not for here.
BasicIndex refused(PyObject* item, int axis, int64_t extent) {
  Py_ssize_t position;
  if (!PyLong_CheckExact(item) || !read_compact(item, &position)) return BasicIndex::kOther;
  set_index_error(position, axis, extent);
  return BasicIndex::kError;
}

// kView when it succeeds.
BasicIndex build(const Items& counted, PyObject* const* items, Py_ssize_t number, const View& view, Builder* builder) {
  const int ndim = view.ndim();
  int axis = 0;
  for (Py_ssize_t i = 0; i < number; ++i) {
    PyObject* item = items[i];
    if (PySlice_Check(item)) {
      if (!builder->take_slice(item, axis++)) return BasicIndex::kOther;
    } else if (item == Py_None) {
      builder->put(1, 0);
    } else if (item == Py_Ellipsis) {
      for (int hidden = ndim - counted.axes_used(); hidden > 0; --hidden) builder->keep(axis++);
    } else if (!builder->take_integer(item, axis)) {
      return refused(item, axis, view.shape[axis]);
    } else {
      ++axis;
    }
  }
  while (axis < ndim) builder->keep(axis++);
  return BasicIndex::kView;
}

}  // namespace

void set_index_error(Py_ssize_t position, int axis, int64_t extent) {
  PyErr_Format(PyExc_IndexError, "index %zd is out of bounds for axis %d with size %zd", position, axis,
               static_cast<Py_ssize_t>(extent));
}

BasicIndex basic_index(const View& view, PyObject* index, View* result) {
  PyObject* const* items = &index;
  Py_ssize_t number = 1;
  if (PyTuple_CheckExact(index)) {
    items = &PyTuple_GET_ITEM(index, 0);
    number = PyTuple_GET_SIZE(index);
  }
  Items counted;
  if (!counted.count(items, number)) return BasicIndex::kOther;
  const int ndim = view.ndim() - counted.integers + counted.new_axes;
  if (counted.axes_used() > view.ndim() || ndim > kMaxDims) return BasicIndex::kOther;
  result->shape.resize(ndim);
  result->strides.resize(ndim);
  Builder builder{view.data, view.shape.data(), view.strides.data(), result->shape.data(), result->strides.data()};
  if (const BasicIndex built = build(counted, items, number, view, &builder); built != BasicIndex::kView) return built;
  result->data = builder.data;
  result->dtype = view.dtype;
  return counted.integers_only() && ndim == 0 ? BasicIndex::kElement : BasicIndex::kView;
}

}  // namespace manycore::python
