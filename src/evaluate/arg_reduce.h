// argmin and argmax: the position of the first smallest or largest element, or of the first NaN. Internal to evaluate/reduce.cpp.
#pragma once

#include "evaluate/reduce.h"

namespace manycore::evaluate {

Array arg_reduce(Reduction reduction, const View& input, const ReduceOptions& options);

}  // namespace manycore::evaluate
