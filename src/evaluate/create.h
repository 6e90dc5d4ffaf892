// New arrays from rules or from other arrays: ranges, joined arrays, where/clip-like selections with several inputs.
#pragma once

#include <span>

#include "evaluate/elementwise.h"
#include "manycore/array.h"

namespace manycore::evaluate {

// first + i * step as NumPy computes it: element 1 is rounded to dtype first, delta taken, then start + i*delta.
MANYCORE_API Array arange(const Scalar& start, const Scalar& step, int64_t count, DType dtype);
MANYCORE_API Array full(const Dims& shape, DType dtype, const Scalar& value, Order order = Order::kC);
// numpy.concatenate; dtype by promotion of all. Throws UserError(kValue) with NumPy's words when extents differ.
MANYCORE_API Array concatenate(std::span<const View> parts, int axis, const ElementwiseOptions& options = {});
// numpy.where(condition, x, y) with NumPy's promotion of x and y.
MANYCORE_API Array where(const Operand& condition, const Operand& x, const Operand& y);
// Recorded (record.h): true, or false with nothing done.
MANYCORE_API bool record_where(const Operand& condition, const Operand& x, const Operand& y, Array* result);

}  // namespace manycore::evaluate
