// Reading by index: array[...].
#include "bindings/array_type.h"
#include "bindings/exchange.h"
#include "bindings/index_basic.h"
#include "bindings/index_plan.h"
#include "evaluate/assign.h"
#include "evaluate/index.h"

namespace manycore::python {

namespace {

// A view of `self` without its first axis, at `position` (already in range).
PyObject* row(PyObject* self, int64_t position) {
  const Array& array = array_of(self);
  const View& view = array.view();
  std::byte* data = view.data + position * view.strides[0];
  if (view.ndim() == 1) return scalar_from(data, view.dtype);
  return guarded([&] {
    View rest;
    rest.data = data;
    rest.dtype = view.dtype;
    rest.shape = Dims(std::span<const int64_t>(view.shape).subspan(1));
    rest.strides = Dims(std::span<const int64_t>(view.strides).subspan(1));
    return wrap_view(array.with_view(std::move(rest)), self);
  });
}

// Index dimensions first in memory, then moved to their place: NumPy's layout, on which later sums depend.
Array gather_in_numpys_layout(const IndexPlan& plan) {
  std::vector<View> indices;
  int index_dims = 0;
  for (const Array& index : plan.indices) {
    indices.push_back(index.view());
    index_dims = std::max(index_dims, index.ndim());
  }
  evaluate::AdvancedIndex advanced{indices, plan.axes, 0};
  Array result = evaluate::gather(plan.view, advanced);
  if (plan.result_axis == 0) return result;
  Dims order;
  for (int i = 0; i < plan.result_axis; ++i) order.push_back(index_dims + i);
  for (int i = 0; i < index_dims; ++i) order.push_back(i);
  for (int i = index_dims + plan.result_axis; i < result.ndim(); ++i) order.push_back(i);
  return result.transpose(order);
}

// The engine's complaints about bounds and shapes are NumPy's to word.
PyObject* read_advanced(PyObject* self, PyObject* index, const IndexPlan& plan) {
  return guarded([&]() -> PyObject* {
    Array result;
    try {
      ReleaseGil released(std::max(plan.view.size(), plan.indices[0].size()));
      result = plan.kind == IndexKind::kMask ? evaluate::select(plan.view, plan.indices[0].view()) : gather_in_numpys_layout(plan);
    } catch (const UserError&) {
      return retry_real_method(self, "__getitem__", {&index, 1, nullptr}, "bounds or shapes of the index");
    }
    return wrap(std::move(result));
  });
}

PyObject* read_by_numpy(PyObject* self, PyObject* index) {
  PyObject* args[] = {self, index};
  return call_fallback(real_method("__getitem__"), args, 2, nullptr, "ndarray.__getitem__", "kind of index");
}

}  // namespace

PyObject* array_item(PyObject* self, Py_ssize_t position) {
  const Array& array = array_of(self);
  if (array.ndim() == 0) {
    PyErr_SetString(PyExc_IndexError, "too many indices for array: array is 0-dimensional, but 1 were indexed");
    return nullptr;
  }
  if (position < 0) position += array.shape()[0];
  if (position < 0 || position >= array.shape()[0]) {
    PyErr_Format(PyExc_IndexError, "index %zd is out of bounds for axis 0 with size %zd", position,
                 static_cast<Py_ssize_t>(array.shape()[0]));
    return nullptr;
  }
  return row(self, position);
}

PyObject* array_subscript(PyObject* self, PyObject* index) {
  const Array& array = array_of(self);
  int64_t position;
  if (PyLong_CheckExact(index) && array.ndim() > 0 && position_on_axis(index, array.shape()[0], &position)) return row(self, position);
  View view;
  switch (basic_index(array.view(), index, &view)) {
    case BasicIndex::kElement: return scalar_from(view.data, array.dtype());
    case BasicIndex::kView: return guarded([&] { return wrap_view(array.with_view(std::move(view)), self); });
    case BasicIndex::kOther: break;
  }
  IndexPlan plan;
  if (plan_index(array.view(), index, &plan) < 0) return nullptr;
  switch (plan.kind) {
    case IndexKind::kDeclined: return read_by_numpy(self, index);
    case IndexKind::kElement: return scalar_from(plan.view.data, plan.view.dtype);
    case IndexKind::kView:
      if (plan.copies) return guarded([&] { return wrap(evaluate::copy(plan.view)); });
      return guarded([&] { return wrap_view(array.with_view(std::move(plan.view)), self); });
    default: return read_advanced(self, index, plan);
  }
}

}  // namespace manycore::python
