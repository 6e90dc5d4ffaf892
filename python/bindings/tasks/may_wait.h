// May this thread wait for memory? Not while others wait for it: the thread of a running event loop, a task of a pool (its workers
// may be what the memory waits for), a callback of a future, and the threads that serve pools. With the GIL.
#pragma once

#include <Python.h>

#include <cstdint>

namespace manycore::python::tasks {

// While it lives, this thread may not.
class MayNotWait {
 public:
  MayNotWait();
  ~MayNotWait();
  MayNotWait(const MayNotWait&) = delete;
  MayNotWait& operator=(const MayNotWait&) = delete;
};

bool may_wait();

// How many nanoseconds it may: no end, none, or for a thread that serves pools a moment, in which workers give back what they have
// just used.
int64_t patience();

// Does this thread serve pools?
bool serves_others();

int add_may_wait(PyObject* module);

}  // namespace manycore::python::tasks
