// Where a mask is true: the raw material of boolean indexing and nonzero. SIMD chosen at run time; thread-safe, stateless.
#pragma once

#include <cstdint>

#include "manycore/export.h"

namespace manycore::kernel {

inline constexpr int64_t kPositionsSlack = 64;  // entries that true_positions may write past the last one

// How many of n bytes are nonzero.
MANYCORE_API int64_t count_true(const uint8_t* mask, int64_t n);

// Writes the positions of nonzero bytes in increasing order; returns how many. `positions` has room for n + kPositionsSlack.
MANYCORE_API int64_t true_positions(const uint8_t* mask, int64_t n, uint32_t* positions);

}  // namespace manycore::kernel
