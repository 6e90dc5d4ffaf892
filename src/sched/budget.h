// The one core budget of this process: the option `threads`, or every core that it may use, or less where it is a worker to which
// its program has left a part. Pools claim cores for the tasks that they run; what is left to each task is its share, at least one
// thread: array loops take no more (parallel.h), and BLAS and OpenMP libraries are told so (library/thread_limits.h).
// Any thread may call anything.
#pragma once

#include <atomic>

#include "manycore/export.h"

namespace manycore::sched {

// Cores for everything that this process runs.
MANYCORE_API int budget();

// The part that a program has left to this process, from now on; `exactly`: somebody has asked for this very number of threads.
MANYCORE_API void limit_budget(int cores, bool exactly);
MANYCORE_API bool budget_is_limited();
MANYCORE_API bool budget_is_exact();

// For how many tasks cores are claimed.
MANYCORE_API int claimed();

// Threads that the calling thread may use now: in a task the budget by the number of tasks; elsewhere what the tasks leave.
MANYCORE_API int share();
// The first of them, on whatever thread.
MANYCORE_API int share_of_tasks();
// For a pool that the calling thread makes: in a task its share, elsewhere the whole budget.
MANYCORE_API int share_for_pools();
// Is this a task, or a process that has a part of its program's cores?
MANYCORE_API bool is_nested();

// One pool's part in the sum. Its owner calls one function at a time.
class MANYCORE_API Claim {
 public:
  Claim() = default;
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  ~Claim() { set(0); }

  void set(int tasks) {
    if (tasks != tasks_) change(tasks);
  }
  // In a forked child, whose sum begins anew.
  void forget() { tasks_ = 0; }

 private:
  void change(int tasks);
  int tasks_ = 0;
};

// In a forked child: nobody's tasks run here.
MANYCORE_API void forget_claims();

// While it lives, the calling thread runs a task.
class MANYCORE_API InTask {
 public:
  InTask();
  ~InTask();
  InTask(const InTask&) = delete;
  InTask& operator=(const InTask&) = delete;
};

}  // namespace manycore::sched
