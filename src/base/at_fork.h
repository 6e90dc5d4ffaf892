// What rooms do around fork(), in one order however early or late each of them began. pthread_atfork alone would order them by their
// first use, and a fork would hold the lock that a program needs while it waits for that program.
//
// Steps run in the order of ForkStep before the fork and in the opposite order after it, in parent and child. A step may wait for
// threads that still need what later steps take, never for threads that need what earlier ones took. Any thread may call at_fork(), with
// locks held; the actions of a step are set once and last as long as the process.
#pragma once

#include "manycore/export.h"

namespace manycore::base {

enum class ForkStep {
  kPrograms,   // waits for programs that run: they loop, keep groups and take memory
  kTasks,      // sched/workers.h: ends threads that sleep
  kLoops,      // ends the workers; a thread that ends gives back what it kept groups in
  kGroups,     // trace/groups.h
  kAddresses,  // memory/addressed_blocks.h, which takes from the pool
  kPool,
  kKeepers,  // memory/keepers.h
  kCount,
};

struct ForkActions {
  void (*before)();
  void (*after_in_parent)();
  void (*after_in_child)();
};

MANYCORE_API void at_fork(ForkStep step, ForkActions actions);

}  // namespace manycore::base
