// manycore.cancel(): more than Future.cancel(), it also stops what runs. A call on a thread has a word on that thread's stack, a call in
// a process one in shared memory, that the engine's loops look at (sched/stop.h). With the GIL.
#pragma once

#include <Python.h>

#include <atomic>

#include "bindings/tasks/future_object.h"
#include "sched/stop.h"
#include "sync/threads.h"

namespace manycore::python::tasks {

struct PythonCall;

// As long as it lives, the call of the future runs on this thread and can be told to stop.
class RunningHere {
 public:
  RunningHere(PyObject* future, const PythonCall* call);
  ~RunningHere();
  RunningHere(const RunningHere&) = delete;
  RunningHere& operator=(const RunningHere&) = delete;

  void tell() { told_.store(1, std::memory_order_relaxed); }
  bool was_told() const { return told_.load(std::memory_order_relaxed) != 0; }
  // False in a child of fork, whose parent runs it.
  bool is_of_this_process() const;
  manycore::sync::Thread* thread() const { return thread_; }
  const PythonCall* call() const { return call_; }

 private:
  std::atomic<uint64_t> told_{0};
  sched::StopScope scope_;
  FutureFields& fields_;
  uint32_t process_;
  manycore::sync::Thread* thread_;
  const PythonCall* call_;
};

// 1: cancelled, or told to stop; 0: it is done, or nobody knows who runs it; -1 with an exception, also where `force` cannot be.
int stop_call(PyObject* future, bool force);

}  // namespace manycore::python::tasks
