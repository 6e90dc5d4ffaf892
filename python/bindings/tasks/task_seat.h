// The cores of the tasks that threads of this process run (sched/budget.h): a task has a seat while it runs, but not while it waits for
// another one. With the GIL.
#pragma once

#include <Python.h>

#include <cstdint>

#include "sched/budget.h"

namespace manycore::python::tasks {

class PoolCore;

// While it lives, this thread runs a task of the pool's, and libraries keep to its share.
class TaskSeat {
 public:
  explicit TaskSeat(PoolCore& pool);
  ~TaskSeat();
  TaskSeat(const TaskSeat&) = delete;
  TaskSeat& operator=(const TaskSeat&) = delete;

  void leave();
  void take_again();

 private:
  PoolCore& pool_;
  const sched::InTask in_task_;
  TaskSeat* const outer_;
  const uint32_t generation_;
};

// While it lives, the task of this thread waits, if it runs one.
class Resting {
 public:
  Resting();
  ~Resting();
  Resting(const Resting&) = delete;
  Resting& operator=(const Resting&) = delete;

 private:
  TaskSeat* const seat_;
};

// This thread goes on to run somebody's code, in a worker process.
void follow_budget();

}  // namespace manycore::python::tasks
