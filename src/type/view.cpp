#include "manycore/view.h"

#include <algorithm>

#include "manycore/errors.h"

namespace manycore {
namespace {

bool has_zero_extent(const Dims& shape) { return std::find(shape.begin(), shape.end(), 0) != shape.end(); }

}  // namespace

bool View::is_c_contiguous() const {
  int64_t expected = item_size(dtype);
  bool contiguous = true;
  for (int axis = ndim() - 1; axis >= 0; --axis) {
    if (shape[axis] == 0) return true;
    if (shape[axis] == 1) continue;
    contiguous = contiguous && strides[axis] == expected;
    expected *= shape[axis];
  }
  return contiguous;
}

bool View::is_f_contiguous() const {
  int64_t expected = item_size(dtype);
  bool contiguous = true;
  for (int axis = 0; axis < ndim(); ++axis) {
    if (shape[axis] == 0) return true;
    if (shape[axis] == 1) continue;
    contiguous = contiguous && strides[axis] == expected;
    expected *= shape[axis];
  }
  return contiguous;
}

bool View::is_aligned() const {
  // The alignment of a complex number is that of its parts.
  uint64_t alignment = static_cast<uint64_t>(is_complex(dtype) ? item_size(dtype) / 2 : item_size(dtype));
  uint64_t bits = reinterpret_cast<uintptr_t>(data);
  for (int axis = 0; axis < ndim(); ++axis) {
    if (shape[axis] == 0) return true;
    if (shape[axis] > 1) bits |= static_cast<uint64_t>(strides[axis]);
  }
  return (bits & (alignment - 1)) == 0;
}

Dims c_strides(const Dims& shape, int64_t item_size) {
  Dims strides(shape.size());
  if (has_zero_extent(shape)) return strides;  // NumPy gives new empty arrays stride 0
  for (int axis = shape.size() - 1; axis >= 0; --axis) {
    strides[axis] = item_size;
    item_size *= shape[axis];
  }
  return strides;
}

Dims f_strides(const Dims& shape, int64_t item_size) {
  Dims strides(shape.size());
  if (has_zero_extent(shape)) return strides;
  for (int axis = 0; axis < shape.size(); ++axis) {
    strides[axis] = item_size;
    item_size *= shape[axis];
  }
  return strides;
}

int64_t checked_size(const Dims& shape, int64_t item_size) {
  if (shape.size() > kMaxDims)
    throw UserError(ErrorKind::kValue,
                    "maximum supported dimension for an ndarray is currently 64, found " + std::to_string(shape.size()));
  for (int64_t extent : shape)
    if (extent < 0) throw UserError(ErrorKind::kValue, "negative dimensions are not allowed");
  // A zero extent does not excuse the others: NumPy, too, multiplies the nonzero ones.
  int64_t bytes = item_size;
  bool too_big = false;
  for (int64_t extent : shape)
    if (extent != 0) too_big = too_big || __builtin_mul_overflow(bytes, extent, &bytes);
  if (too_big)
    throw UserError(ErrorKind::kValue,
                    "array is too big; `arr.size * arr.dtype.itemsize` is larger than the maximum possible size.");
  return has_zero_extent(shape) ? 0 : bytes / item_size;
}

ByteRange byte_range(const View& view) {
  const std::byte* begin = view.data;
  const std::byte* end = view.data + item_size(view.dtype);
  for (int axis = 0; axis < view.ndim(); ++axis) {
    if (view.shape[axis] == 0) return {nullptr, nullptr};
    int64_t reach = (view.shape[axis] - 1) * view.strides[axis];
    (reach < 0 ? begin : end) += reach;
  }
  return {begin, end};
}

std::string shape_text(const Dims& shape) {
  std::string text = "(";
  for (int axis = 0; axis < shape.size(); ++axis) {
    if (axis > 0) text += ',';
    text += std::to_string(shape[axis]);
  }
  text += shape.size() == 1 ? ",)" : ")";
  return text;
}

}  // namespace manycore
