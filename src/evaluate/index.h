// Advanced indexing: integer arrays and boolean masks, read and write, with NumPy's rules. Basic indexing (integers, slices,
// ellipsis, newaxis) makes views and lives with type/; the caller has already applied it. Bounds are checked before anything
// is written. Where an index repeats in an assignment the last value wins.
#pragma once

#include <span>

#include "evaluate/elementwise.h"
#include "manycore/array.h"

namespace manycore::evaluate {

// One index array per indexed axis. `indices` have integer dtype and broadcast together; entry k indexes axis `axes[k]`.
// The broadcast index dimensions stand at position `result_axis` of the result, the other axes keep their order
// (the caller decides between NumPy's "all adjacent" place and the front).
struct AdvancedIndex {
  std::span<const View> indices;
  std::span<const int> axes;
  int result_axis = 0;
};

// Throws UserError(kIndex) "index 7 is out of bounds for axis 0 with size 5"; UserError(kIndex) "shape mismatch: indexing
// arrays could not be broadcast together with shapes (2,) (3,)".
MANYCORE_API Array gather(const View& source, const AdvancedIndex& index);
MANYCORE_API void scatter(const View& destination, const AdvancedIndex& index, const View& values, unsigned* status = nullptr);

// source[mask] where mask has source's leading shape; result shape (count, rest...).
MANYCORE_API Array select(const View& source, const View& mask);
// destination[mask] = values (scalar view, (count, rest...) or broadcastable to it). "NumPy boolean array indexing assignment
// cannot assign 3 input values to the 2 output values where the mask is true".
MANYCORE_API void assign_selected(const View& destination, const View& mask, const View& values, unsigned* status = nullptr);

// Positions of true (nonzero) elements: one int64 array per axis, C order.
MANYCORE_API std::vector<Array> nonzero(const View& input);

// numpy.take along an axis; mode "raise".
MANYCORE_API Array take(const View& source, const View& indices, int axis);

// numpy.repeat with one count for every element of `axis`.
MANYCORE_API Array repeat(const View& source, int64_t repeats, int axis);

}  // namespace manycore::evaluate
