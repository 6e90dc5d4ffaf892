// run: executes one kernel loop over the operands of a plan - in blocks, through buffers where an operand needs a cast, streamed
// past the caches where the result is far larger than they are, on all cores above a size. Internal to evaluate/.
#pragma once

#include "evaluate/plan.h"
#include "kernel/loops.h"

namespace manycore::evaluate {

struct Job {
  Plan plan;                            // inputs, outputs, then the mask if there is one
  const kernel::Loop* loop = nullptr;
  int inputs = 0;
  int outputs = 0;
  bool masked = false;                  // the last operand of the plan is a bool mask
  bool fresh = false;                   // outputs are new memory: nobody minds when an interrupt leaves them half written
  DType array_dtypes[kMaxOperands];     // in memory
  DType loop_dtypes[kMaxOperands];      // what the loop sees; a different one is cast through a buffer
  bool unaligned[kMaxOperands] = {};    // goes through a buffer too
};

// Floating point conditions met (op::errors bits), only those that the loop or a cast may report. May reorder the plan's axes.
unsigned run(Job& job);

}  // namespace manycore::evaluate
