// Keeps the threads that BLAS and OpenMP libraries start within the core budget (sched/budget.h): finds those that are loaded and
// calls their own functions for it, where what is wanted has changed.
//
// OpenBLAS has one number for the process: it shrinks with the first task that has less, grows again a while later or when no task
// runs any more. OpenMP, MKL and BLIS have one for each thread: a task's thread is told before the task. What somebody else has set,
// by a variable of the environment (OMP_NUM_THREADS and each library's own) or by calls (threadpoolctl), stays.
// Any thread may call anything.
#pragma once

#include <cstdint>

#include "manycore/export.h"

namespace manycore::library {

// On a thread that is about to run a task, whose share has perhaps changed. `modules` is a number that changes where libraries may have
// been loaded; only then is looked for them again.
MANYCORE_API void follow_budget(uint64_t modules);

// No task runs any more: what has one number for the process gets what the process may use.
MANYCORE_API void release_budget();

// The same where the budget is another.
MANYCORE_API void apply_budget();

// How many libraries are loaded, how often one was told a number, and how many threads of their own those have that end them before a
// fork (OpenBLAS).
struct ThreadLimits {
  int libraries;
  int64_t told;
  int threads;
};
MANYCORE_API ThreadLimits thread_limits();

}  // namespace manycore::library
