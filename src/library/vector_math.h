// Mathematics: the loops of exp, sin, pow and the like. The engine's own come from SLEEF (at most 1 ulp, widest vectors of the
// SIMD level in force) and from the C library for complex numbers; docs/decisions/0002 says how they were chosen. A program
// that has other loops with NumPy's signature (Python: NumPy's own, so that results have its bits) puts them in their place.
#pragma once

#include "kernel/loops.h"

namespace manycore::library {

// Replaces the loop of `operation` whose first input has `dtype`. `loop` may set the floating point status like C code does.
// Call before other threads compute; kernel::select_simd drops it again.
MANYCORE_API void set_math_loop(op::Op operation, DType dtype, kernel::LoopFn loop, void* data);

}  // namespace manycore::library
