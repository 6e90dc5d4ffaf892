// View: where the elements of an array lie - first element, dtype, shape and strides in bytes (any sign, zero when
// broadcast). It owns nothing. Everything below evaluate/ works on views; Array (manycore/array.h) is a view plus the buffer
// that keeps it alive. An empty view (a zero extent) may hold any data pointer, which is never read.
#pragma once

#include <string>

#include "manycore/dims.h"
#include "manycore/dtype.h"
#include "manycore/export.h"

namespace manycore {

struct View {
  std::byte* data = nullptr;
  DType dtype = DType::kFloat64;
  Dims shape;
  Dims strides;

  int ndim() const { return shape.size(); }
  int64_t size() const {
    int64_t n = 1;
    for (int64_t extent : shape) n *= extent;
    return n;
  }
  int64_t nbytes() const { return size() * item_size(dtype); }
  MANYCORE_API bool is_c_contiguous() const;  // NumPy's relaxed rule: strides of extents 0 and 1 do not matter
  MANYCORE_API bool is_f_contiguous() const;
  MANYCORE_API bool is_aligned() const;  // data and every stride that matters are multiples of the dtype's alignment
};

// Strides in bytes of a C-ordered (or Fortran-ordered) array.
MANYCORE_API Dims c_strides(const Dims& shape, int64_t item_size);
MANYCORE_API Dims f_strides(const Dims& shape, int64_t item_size);

// Product of extents; throws UserError(kValue) "array is too big; ..." when it, times item_size, passes 2^63-1.
MANYCORE_API int64_t checked_size(const Dims& shape, int64_t item_size);

// [first, last) byte range that a view can touch; both null for an empty view.
struct ByteRange {
  const std::byte* begin;
  const std::byte* end;
};
MANYCORE_API ByteRange byte_range(const View& view);

// How two views share memory. kSame: identical element by element (same data, shape, strides, item size).
// kMaybe is answered where an exact answer would cost an integer program; callers treat it as overlap.
enum class Overlap : uint8_t { kNone, kSame, kMaybe };
MANYCORE_API Overlap overlap(const View& a, const View& b);

// May two elements of the view share bytes, as after broadcast_to or in overlapping windows? Exact for what slicing, transposing,
// broadcasting and taking diagonals make of a dense array; other layouts may be answered true without need.
MANYCORE_API bool may_overlap_in_any_order(const View& view);  // the same, for axes whose strides do not fall
inline bool may_overlap_itself(const View& view) {
  const int64_t *shape = view.shape.data(), *strides = view.strides.data();
  int64_t reach = item_size(view.dtype);  // bytes that the axes so far span
  for (int axis = view.ndim() - 1; axis >= 0; --axis) {
    if (shape[axis] == 1) continue;
    const int64_t step = strides[axis] < 0 ? -strides[axis] : strides[axis];
    if (step < reach) return may_overlap_in_any_order(view);
    reach += step * (shape[axis] - 1);
  }
  return false;  // C order, or what slicing makes of it
}

// NumPy's broadcasting of two shapes; throws UserError(kValue) with NumPy's words and both shapes.
MANYCORE_API Dims broadcast_shapes(const Dims& a, const Dims& b);
// Strides that make `view` look like `shape` (leading axes added, extents 1 stretched with stride 0); throws
// UserError(kValue) when it cannot.
MANYCORE_API View broadcast_to(const View& view, const Dims& shape);

// Views of a view. All check their arguments and throw NumPy's errors (kAxis, kValue, kIndex).
MANYCORE_API View slice(const View& view, int axis, int64_t start, int64_t count, int64_t step);  // already normalised
MANYCORE_API View transpose(const View& view, const Dims& permutation);
// False when no view with that shape exists (the caller copies then). -1 must already be resolved.
MANYCORE_API bool try_reshape(const View& view, const Dims& shape, bool fortran_order, View* result);

// "(3,4)": the way NumPy prints shapes in messages, "(3,)" for one dimension.
MANYCORE_API std::string shape_text(const Dims& shape);

}  // namespace manycore
