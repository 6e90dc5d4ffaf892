// Will NumPy raise for these arguments? Asked before the work where that costs some 10 ns, because finding out by an exception
// costs 2 us and more, several times NumPy's own error. A "no" promises nothing: the operations still throw what they throw.
#pragma once

#include <optional>

#include "evaluate/elementwise.h"

namespace manycore::evaluate {

MANYCORE_API bool shapes_meet(const Dims& a, const Dims& b);            // as operands of one operation
MANYCORE_API bool shape_fits(const Dims& source, const Dims& target);   // assigned; ones in front are dropped
MANYCORE_API bool axes_fit(const std::optional<Dims>& axes, int ndim);  // each there, and once
MANYCORE_API bool matmul_meets(const View& a, const View& b);           // the extents that are summed over
MANYCORE_API bool elementwise_fits(op::Op operation, std::span<const Operand> inputs, const Array* output);  // without keywords

}  // namespace manycore::evaluate
