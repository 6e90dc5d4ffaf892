// run: executes one kernel loop over the operands of a plan - in blocks, through buffers where an operand needs a cast, in tiles
// where layouts differ, on all cores above a size. Results are stored through the caches: computing into a block in L1 and
// streaming that past them took 4.3 ms where plain stores take 3.8 (10M float64, one input, Zen 5); only copies stream.
// Internal to evaluate/.
#pragma once

#include "interpret/plan.h"
#include "kernel/loops.h"

namespace manycore::interpret {

struct Job {
  Plan plan;  // inputs, outputs, then the mask if there is one
  const kernel::Loop* loop = nullptr;
  int inputs = 0;
  int outputs = 0;
  bool masked = false;                // the last operand of the plan is a bool mask
  bool fresh = false;                 // outputs are new memory: nobody minds when an interrupt leaves them half written
  DType array_dtypes[kMaxOperands];   // in memory
  DType loop_dtypes[kMaxOperands];    // what the loop sees; a different one is cast through a buffer
  bool unaligned[kMaxOperands] = {};  // goes through a buffer too
};

// Floating point conditions met (op::errors bits), only those that the loop or a cast may report. May reorder the plan's axes.
unsigned run(Job& job);

}  // namespace manycore::interpret
