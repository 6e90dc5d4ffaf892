// Python numbers on their way to a dtype. Internal to evaluate/.
#pragma once

#include "manycore/scalar.h"

namespace manycore::evaluate {

// Where a weak integer lies with respect to an integer dtype's range: -1 below, 0 inside, 1 above.
int side_of_range(const Scalar& integer, DType dtype);

}  // namespace manycore::evaluate
