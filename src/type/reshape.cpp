#include <algorithm>

#include "manycore/errors.h"
#include "manycore/view.h"

namespace manycore {
namespace {

[[noreturn]] void fail_axis(int64_t axis, int ndim) {
  throw UserError(ErrorKind::kAxis,
                  "axis " + std::to_string(axis) + " is out of bounds for array of dimension " + std::to_string(ndim));
}

// Strides of a contiguous array; unlike those of new arrays, those of a reshaped empty one count zero extents as one.
Dims contiguous_strides(const Dims& shape, int64_t step, bool fortran_order) {
  Dims strides(shape.size());
  for (int i = 0; i < shape.size(); ++i) {
    int axis = fortran_order ? i : shape.size() - 1 - i;
    strides[axis] = step;
    step *= std::max<int64_t>(1, shape[axis]);
  }
  return strides;
}

// Runs of old axes that the new axes refine, joined and split again. `old_*` have no extents of 1.
bool split_runs(const Dims& old_shape, const Dims& old_strides, const Dims& shape, bool fortran_order, Dims& strides) {
  int old_count = old_shape.size();
  int old_begin = 0;
  int begin = 0;
  while (begin < shape.size() && old_begin < old_count) {
    int old_end = old_begin + 1;
    int end = begin + 1;
    int64_t old_size = old_shape[old_begin];
    int64_t size = shape[begin];
    while (size != old_size) {
      if (size < old_size)
        size *= shape[end++];
      else
        old_size *= old_shape[old_end++];
    }
    for (int axis = old_begin; axis + 1 < old_end; ++axis) {
      bool joined = fortran_order ? old_strides[axis + 1] == old_shape[axis] * old_strides[axis]
                                  : old_strides[axis] == old_shape[axis + 1] * old_strides[axis + 1];
      if (!joined) return false;
    }
    if (fortran_order) {
      int64_t step = old_strides[old_begin];
      for (int axis = begin; axis < end; step *= shape[axis++]) strides[axis] = step;
    } else {
      int64_t step = old_strides[old_end - 1];
      for (int axis = end - 1; axis >= begin; step *= shape[axis--]) strides[axis] = step;
    }
    old_begin = old_end;
    begin = end;
  }
  // Only extents of 1 are left in the new shape; NumPy continues the last stride.
  int64_t rest = begin == 0 ? 0 : fortran_order ? strides[begin - 1] * shape[begin - 1] : strides[begin - 1];
  for (; begin < shape.size(); ++begin) strides[begin] = rest;
  return true;
}

}  // namespace

View slice(const View& view, int axis, int64_t start, int64_t count, int64_t step) {
  if (axis < 0 || axis >= view.ndim()) fail_axis(axis, view.ndim());
  View result = view;
  if (count > 0) result.data += start * view.strides[axis];
  result.shape[axis] = count;
  result.strides[axis] = view.strides[axis] * step;
  return result;
}

View transpose(const View& view, const Dims& permutation) {
  if (permutation.size() != view.ndim()) throw UserError(ErrorKind::kValue, "axes don't match array");
  View result{view.data, view.dtype, Dims(view.ndim()), Dims(view.ndim())};
  uint64_t seen = 0;
  for (int i = 0; i < view.ndim(); ++i) {
    int64_t axis = permutation[i];
    if (axis < -view.ndim() || axis >= view.ndim()) fail_axis(axis, view.ndim());
    if (axis < 0) axis += view.ndim();
    if (seen >> axis & 1) throw UserError(ErrorKind::kValue, "repeated axis in transpose");
    seen |= uint64_t{1} << axis;
    result.shape[i] = view.shape[static_cast<int>(axis)];
    result.strides[i] = view.strides[static_cast<int>(axis)];
  }
  return result;
}

bool try_reshape(const View& view, const Dims& shape, bool fortran_order, View* result) {
  int64_t wanted = 1;
  for (int64_t extent : shape) wanted *= extent;
  if (wanted != view.size())
    throw UserError(ErrorKind::kValue,
                    "cannot reshape array of size " + std::to_string(view.size()) + " into shape " + shape_text(shape));
  View reshaped{view.data, view.dtype, shape, Dims(shape.size())};
  bool contiguous = fortran_order ? view.is_f_contiguous() : view.is_c_contiguous();
  if (contiguous) {
    reshaped.strides = contiguous_strides(shape, item_size(view.dtype), fortran_order);
  } else {
    Dims old_shape;
    Dims old_strides;
    for (int axis = 0; axis < view.ndim(); ++axis) {
      if (view.shape[axis] == 1) continue;
      old_shape.push_back(view.shape[axis]);
      old_strides.push_back(view.strides[axis]);
    }
    if (!split_runs(old_shape, old_strides, shape, fortran_order, reshaped.strides)) return false;
  }
  *result = std::move(reshaped);
  return true;
}

}  // namespace manycore
