// Running reductions along an axis: out[i] = out[i-1] (op) in[i], one after the other as NumPy does, so bits are NumPy's.
// Thread-safe, stateless.
#pragma once

#include "kernel/reduce.h"

namespace manycore::kernel {

struct ScanLoops {
  // *state holds out[-1] and receives the last output.
  void (*run)(std::byte* state, std::byte* output, int64_t output_stride, const std::byte* input, int64_t input_stride,
              int64_t n);
  // output[j] = previous[j] (op) input[j]
  void (*row)(std::byte* output, int64_t output_stride, const std::byte* previous, int64_t previous_stride,
              const std::byte* input, int64_t input_stride, int64_t n);
};

// Null where there is no loop; the output has the input's dtype.
MANYCORE_API const ScanLoops* find_scan(Reduction reduction, DType dtype);

}  // namespace manycore::kernel
