// Positions of extremes: NumPy's rule is the first smallest (largest) element, or the first NaN. Thread-safe, stateless.
#pragma once

#include "kernel/reduce.h"

namespace manycore::kernel {

struct ArgLoops {
  // Position in the run of n >= 1 elements.
  int64_t (*run)(const std::byte* input, int64_t stride, int64_t n);
  // Would `candidate`, standing later in the array, take the place of `best`?
  bool (*replaces)(const std::byte* best, const std::byte* candidate);
  // One step for n columns: where row[j] replaces best[j], take it over and set positions[j] = position.
  void (*row)(std::byte* best, int64_t* positions, const std::byte* row, int64_t stride, int64_t n, int64_t position);
};

// `reduction` is kArgmin or kArgmax.
MANYCORE_API const ArgLoops& find_arg(Reduction reduction, DType dtype);

}  // namespace manycore::kernel
