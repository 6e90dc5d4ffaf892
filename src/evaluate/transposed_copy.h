// A copy between arrays of equal dtype of which each is dense along another axis, as of a matrix and its transpose. Internal to
// evaluate/.
#pragma once

#include "interpret/plan.h"

namespace manycore::evaluate {

// Does the copy, on all cores above a size, and answers true; false, with nothing done, where the layouts or sizes want another
// way. Operand 0 of the plan is the source, 1 the destination; both are aligned, of `item` bytes an element, and do not
// overlap. `past_caches`: the destination is far larger than the caches. `fresh`: see Job.
bool transposed_copy(const interpret::Plan& plan, int64_t item, bool past_caches, bool fresh);

}  // namespace manycore::evaluate
