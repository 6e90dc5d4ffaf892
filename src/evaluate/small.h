// small_elementwise: the short way for what most calls in a program's loops are - one or two operands of one shape, in C order
// or of one dimension, or a number, few elements, a loop that needs no cast. A call costs less than NumPy's: one table look-up instead of resolution,
// no plan, no heap beyond the result. Everything else goes through elementwise(), which gives the same bits.
#pragma once

#include "evaluate/elementwise.h"

namespace manycore::evaluate {

// True: done, `result` holds the output (`output` itself where given), `status` is or-ed. False: not such a call, nothing
// was touched. The only error that rises is ResourceError.
MANYCORE_API bool small_elementwise(op::Op operation, std::span<const Operand> inputs, const Array* output, Array* result,
                                    unsigned* status);

}  // namespace manycore::evaluate
