// What a reduction starts from: 0, 1 or all bits, in the accumulator's dtype.
#pragma once

#include "kernel/reduce.h"

namespace manycore::kernel {

// Writes 16 bytes at `value`; false for reductions without a neutral element (minimum, ...).
MANYCORE_API bool identity(Reduction reduction, DType to, std::byte* value);

}  // namespace manycore::kernel
