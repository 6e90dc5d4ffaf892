// fold: runs a planned reduction over memory. `out` already holds the initial values and is folded into. Parallel over results
// where there are many; over runs, or over the pairwise tree of one long run, where there are few - cut at places that depend
// on the shape only, so that bits are equal for every thread count.
#pragma once

#include "evaluate/reduce_order.h"
#include "kernel/reduce.h"

namespace manycore::evaluate {

// A cast of a strided run, elementwise's LoopFn.
using CastLoop = void (*)(char** args, const int64_t* counts, const int64_t* strides, void* data);

struct Fold {
  kernel::Reduction reduction;
  DType from;        // the input's dtype
  DType loop_input;  // what the loops read: differs from `from` when `cast` is set
  DType to;          // the accumulators' dtype
  const kernel::ReduceLoops* loops = nullptr;
  CastLoop cast = nullptr;
  unsigned* status = nullptr;  // or-ed with FloatingPointStatus bits when set
  ReduceOrder order;           // stride[kThird] is where's or mean's
  std::byte* out = nullptr;
  const std::byte* in = nullptr;
  const std::byte* where = nullptr;  // null without a mask
  const std::byte* mean = nullptr;   // when set, |x - mean|^2 is added up; of loop_input's dtype, never together with where
};

// Sets cast, loop_input and loops for from -> to; false when there are none.
bool choose_loops(kernel::Reduction reduction, DType from, DType to, Fold* fold);

void run_fold(const Fold& fold);

}  // namespace manycore::evaluate
