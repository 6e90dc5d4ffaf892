// Where a future's outcome comes from, for pools whose replies nobody reads until somebody looks. Such a future points to its source
// until it is done; every look at its state asks there first. All with the GIL, which `wait` lets go of meanwhile.
#pragma once

#include <Python.h>

#include <cstdint>

namespace manycore::python::tasks {

class FutureSource {
 public:
  virtual ~FutureSource() = default;
  // Completes what has come.
  virtual void look() = 0;
  virtual bool is_running(PyObject* future) = 0;
  // Takes the task back; false where it runs or is over.
  virtual bool withdraw(PyObject* future) = 0;
  // Has a task that runs stop in its loops, or with `force` the process end that runs it. `waits`: nobody runs it (any more).
  enum class Stop : uint8_t { told, waits, over };
  virtual Stop stop(PyObject* future, bool force) = 0;
  // Somebody waits by a condition or a callback: from now on the future is completed without a look.
  virtual void serve() = 0;
  // As wait_until_done().
  virtual int wait(PyObject* future, int64_t deadline) = 0;
};

}  // namespace manycore::python::tasks
