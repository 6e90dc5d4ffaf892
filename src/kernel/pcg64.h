// PCG64 (O'Neill 2014, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms for Random Number Generation",
// XSL RR 128/64), the default bit generator of numpy.random, with its jump ahead: the state after n steps in O(log n) (Brown 1994,
// "Random Number Generation with Arbitrary Strides"). Pure functions; the stream is NumPy's bit for bit.
#pragma once

#include <cstdint>

#include "manycore/export.h"

namespace manycore::kernel {

struct Pcg64 {
  unsigned __int128 state;
  unsigned __int128 increment;
};

MANYCORE_API Pcg64 advanced(const Pcg64& generator, uint64_t steps);

// low + range * u for the next n uniform numbers u in [0, 1), each from one step: 53 bits, as NumPy's next_double.
MANYCORE_API void fill_uniform(const Pcg64& generator, double low, double range, double* out, int64_t n);

}  // namespace manycore::kernel
