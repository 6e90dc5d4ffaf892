// reduce and accumulate: the reductions of op/reductions.def over any axes, with NumPy's order of additions.
// Results are equal for every thread count. Sums along a contiguous fast axis add pairwise exactly as NumPy; the
// header of kernel/reduce.h states the order for the other layouts.
#pragma once

#include <optional>

#include "evaluate/elementwise.h"
#include "kernel/reduce.h"
#include "manycore/array.h"

namespace manycore::evaluate {

using kernel::Reduction;

struct ReduceOptions {
  std::optional<Dims> axes;  // none: all axes. Entries are normalised to [0, ndim) and distinct; see normalize_axes
  bool keepdims = false;
  std::optional<DType> dtype;  // accumulator dtype, NumPy's dtype=; by default NumPy's choice (sum of int8 is int64, ...)
  const Array* output = nullptr;
  std::optional<Scalar> initial;
  const View* where = nullptr;
  unsigned* status = nullptr;
};

// Throws UserError(kValue) "zero-size array to reduction operation minimum which has no identity" and the like.
MANYCORE_API Array reduce(Reduction reduction, const View& input, const ReduceOptions& options = {});

// Recorded at the end of the pending work that computes `input`, so that the elements are folded while they are in the cache: true,
// or false with nothing done where that is not possible or gains nothing. Without axes the result is one element, which the caller
// will read.
MANYCORE_API bool record_reduce(Reduction reduction, const Array& input, const ReduceOptions& options, Array* result);

// The mean of real floating point numbers, likewise.
MANYCORE_API bool record_mean(const Array& input, const ReduceOptions& options, Array* result);

// mean, var: NumPy's own formulas (numpy/_core/_methods.py: sum in float64 for integers, float16 through float32; two passes).
MANYCORE_API Array mean(const View& input, const ReduceOptions& options = {});
MANYCORE_API Array variance(const View& input, double degrees_of_freedom_removed, bool take_square_root,
                            const ReduceOptions& options = {});

// cumsum, cumprod, minimum.accumulate ...: same order as NumPy (sequential along the axis).
MANYCORE_API Array accumulate(Reduction reduction, const View& input, int axis, const ReduceOptions& options = {});

// In which dtype NumPy accumulates.
DType accumulator_dtype(Reduction reduction, DType input, const ReduceOptions& options);

// Negative axes resolved; throws UserError(kAxis) "axis 3 is out of bounds for array of dimension 2",
// UserError(kValue) "duplicate value in 'axis'".
MANYCORE_API Dims normalize_axes(const Dims& axes, int ndim);

}  // namespace manycore::evaluate
