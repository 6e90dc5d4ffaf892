// Random numbers in parallel where the generator can jump ahead: every thread computes its own part of the one stream, so the
// numbers, and the state afterwards, are those of a sequential draw for every thread count.
#pragma once

#include <span>

#include "kernel/pcg64.h"

namespace manycore::evaluate {

// Fills `values` with low + range * u and moves `generator` on by that many steps.
MANYCORE_API void draw_uniform(kernel::Pcg64* generator, double low, double range, std::span<double> values);

}  // namespace manycore::evaluate
