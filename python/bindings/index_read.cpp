// Reading by index: array[...].
#include <algorithm>
#include <vector>

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
  if (array.ndim() == 1 && !array.is_pending()) {
    const View& view = array.described();
    if (!Buffer::is_promised(view.data)) return scalar_from(view.data + position * view.strides[0], view.dtype);
  }
  return guarded([&]() -> PyObject* {
    if (array.ndim() == 1) return scalar_from(array.view_to_read().data + position * array.strides()[0], array.dtype());
    const View& view = array.described();
    std::byte* data = view.data + position * view.strides[0];
    View rest;
    rest.data = data;
    rest.dtype = view.dtype;
    rest.shape = Dims(std::span<const int64_t>(view.shape).subspan(1));
    rest.strides = Dims(std::span<const int64_t>(view.strides).subspan(1));
    return wrap_view(std::move(rest), self);
  });
}

// The axes that no index takes, slowest first in memory: NumPy's iterator lays the copied part out in the source's own order.
// An axis of extent 1 or stride 0 has no order of its own and stays where it stands.
std::vector<int> free_axes_by_stride(const View& view, std::span<const int> indexed) {
  std::vector<int> order;  // fastest first while sorting
  const auto stride = [&](int axis) { return view.shape[axis] == 1 ? 0 : std::abs(view.strides[axis]); };
  for (int axis = view.ndim() - 1; axis >= 0; --axis) {
    if (std::find(indexed.begin(), indexed.end(), axis) != indexed.end()) continue;
    size_t place = order.size();
    for (size_t i = order.size(); i-- > 0;) {
      if (stride(order[i]) == 0 || stride(axis) == 0) continue;
      if (stride(order[i]) <= stride(axis)) break;
      place = i;
    }
    order.insert(order.begin() + static_cast<std::ptrdiff_t>(place), axis);
  }
  std::reverse(order.begin(), order.end());
  return order;
}

// A source whose free axes stand in memory order, and how to bring the result's dimensions back.
struct Arranged {
  View view;
  std::vector<int> axes;  // of the indices, in `view`
  Dims order;             // result dimension i is dimension order[i] of what the engine gives
};

// `index_dims`: dimensions that the indices give; they come first in the engine's result and go to `result_axis`.
Arranged arrange(const View& source, std::span<const int> indexed, int index_dims, int result_axis) {
  const std::vector<int> free_axes = free_axes_by_stride(source, indexed);
  Dims permutation;
  for (int axis : indexed) permutation.push_back(axis);
  for (int axis : free_axes) permutation.push_back(axis);
  Arranged arranged{transpose(source, permutation), {}, Dims()};
  for (size_t i = 0; i < indexed.size(); ++i) arranged.axes.push_back(static_cast<int>(i));
  std::vector<int> place(static_cast<size_t>(source.ndim()));
  for (size_t i = 0; i < free_axes.size(); ++i) place[static_cast<size_t>(free_axes[i])] = index_dims + static_cast<int>(i);
  for (int axis = 0; axis < source.ndim(); ++axis) {
    if (std::find(indexed.begin(), indexed.end(), axis) == indexed.end())
      arranged.order.push_back(place[static_cast<size_t>(axis)]);
  }
  for (int i = 0; i < index_dims; ++i) arranged.order.insert(result_axis + i, i);
  return arranged;
}

Array gather_in_numpys_layout(const IndexPlan& plan) {
  std::vector<View> indices;
  int index_dims = 0;
  for (const Array& index : plan.indices) {
    indices.push_back(index.view());
    index_dims = std::max(index_dims, index.ndim());
  }
  const Arranged arranged = arrange(plan.view, plan.axes, index_dims, plan.result_axis);
  return evaluate::gather(arranged.view, {indices, arranged.axes, 0}).transpose(arranged.order);
}

Array select_in_numpys_layout(const IndexPlan& plan) {
  const Array& mask = plan.indices[0];
  if (plan.view.ndim() - mask.ndim() < 2) return evaluate::select(plan.view, mask.view());
  std::vector<int> masked;
  for (int axis = 0; axis < mask.ndim(); ++axis) masked.push_back(axis);
  const Arranged arranged = arrange(plan.view, masked, 1, 0);
  return evaluate::select(arranged.view, mask.view()).transpose(arranged.order);
}

// The engine's complaints about bounds and shapes are NumPy's to word.
PyObject* read_advanced(PyObject* self, PyObject* index, const IndexPlan& plan) {
  return guarded([&]() -> PyObject* {
    const BufferRef kept = array_of(self).buffer();  // another thread may resize the object meanwhile
    Array result;
    try {
      ReleaseGil released(std::max(plan.view.size(), plan.indices[0].size()));
      result = plan.kind == IndexKind::kMask ? select_in_numpys_layout(plan) : gather_in_numpys_layout(plan);
    } catch (const UserError&) {
      return retry_real_method(self, "__getitem__", {&index, 1, nullptr}, "bounds or shapes of the index");
    }
    // NumPy moves the dimensions of the index where they belong: a view of what it gathered.
    return plan.result_axis != 0 ? view_of_new(result, result) : wrap(std::move(result));
  });
}

// array[ours]: one index array or mask of ours over the first axes, where the result's layout is the plain one. The common
// cases of advanced indexing without a plan. Null without an exception for anything else.
PyObject* read_by_one_array(PyObject* self, PyObject* index) {
  const Array& array = array_of(self);
  const Array& positions = array_of(index);
  const bool is_mask = positions.dtype() == DType::kBool;
  if ((!is_mask && positions.dtype() != DType::kInt64) || positions.ndim() == 0 || array.ndim() == 0) return nullptr;
  const int used = is_mask ? positions.ndim() : 1;
  if (array.ndim() - used > 1 && !array.is_c_contiguous()) return nullptr;
  if (is_mask && !std::equal(positions.shape().begin(), positions.shape().end(), array.shape().begin(),
                             array.shape().begin() + std::min(used, array.ndim()))) {
    return retry_real_method(self, "__getitem__", {&index, 1, nullptr}, "shape of the mask");
  }
  try {
    const BufferRef kept = array.buffer();
    static constexpr int first_axis[] = {0};
    Array result;
    {
      ReleaseGil released(std::max(array.size(), positions.size()));
      result = is_mask ? evaluate::select(array.view_to_read(), positions.view_to_read())
                       : evaluate::gather(array.view_to_read(), {{&positions.view_to_read(), 1}, first_axis, 0});
    }
    return wrap(std::move(result));
  } catch (const UserError&) {
    return retry_real_method(self, "__getitem__", {&index, 1, nullptr}, "bounds or shapes of the index");
  } catch (...) {
    set_python_error();
    return nullptr;
  }
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
    set_index_error(position, 0, array.shape()[0]);
    return nullptr;
  }
  return row(self, position);
}

// The element of `array` that lies at `place` by its description.
static PyObject* element(const Array& array, const std::byte* place) {
  if (!array.is_pending() && !Buffer::is_promised(place)) return scalar_from(place, array.dtype());
  return guarded([&] {
    const std::ptrdiff_t offset = place - array.described().data;
    return scalar_from(array.view_to_read().data + offset, array.dtype());
  });
}

PyObject* array_subscript(PyObject* self, PyObject* index) {
  const Array& array = array_of(self);
  if (!is_slice_or_tuple(index)) {
    int64_t position;
    if (is_integer_index(index) && array.ndim() > 0 && place_on_axis(index, array.shape()[0], &position))
      return row(self, position);
    if (is_array(index)) {
      PyObject* result = read_by_one_array(self, index);
      if (result || PyErr_Occurred()) return result;
    }
  }
  View view;
  switch (basic_index(array.described(), index, &view)) {
    case BasicIndex::kElement:
      return element(array, view.data);
    case BasicIndex::kView:
      return guarded([&] { return wrap_view(std::move(view), self); });
    case BasicIndex::kError:
      return nullptr;
    case BasicIndex::kOther:
      break;
  }
  IndexPlan plan;
  if (plan_index(array.described(), index, &plan) < 0) return nullptr;
  switch (plan.kind) {
    case IndexKind::kDeclined:
      return read_by_numpy(self, index);
    case IndexKind::kElement:
      return element(array, plan.view.data);
    case IndexKind::kView:
      if (plan.copies) return guarded([&] { return wrap(evaluate::copy(array.with_view(plan.view).view_to_read())); });
      return guarded([&] { return wrap_view(std::move(plan.view), self); });
    default: {
      const std::ptrdiff_t offset = plan.view.data - array.described().data;
      if (guarded([&] { return plan.view.data = array.view_to_read().data + offset, 0; }) < 0) return nullptr;
      return read_advanced(self, index, plan);
    }
  }
}

}  // namespace manycore::python
