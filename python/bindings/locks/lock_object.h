// The C types Lock and RLock of manycore.threading. A lock is a pointer to the record of the thread that has it, changed under the GIL; who
// finds it taken leaves a waiter in its list and sleeps without the GIL. As with the standard's, who asks in the right moment may have it
// before one who has waited: the waiter that was woken looks and sleeps again.
#pragma once

#include <Python.h>

#include "bindings/locks/known_wait.h"
#include "bindings/locks/lock_order.h"
#include "bindings/locks/waiter_line.h"

namespace manycore::python::locks {

struct LockObject {
  PyObject_HEAD manycore::sync::Thread* owner;  // null: free
  WaiterLine line;
  uint32_t count;  // how often an RLock was taken
  bool woken;      // a waiter has been woken and has not looked yet
  bool in_with;    // taken by a `with` statement, whose end lets go of it
  bool is_signal;  // some other thread than the owner's has let go of it
  PyObject* weak;
  MadeAt made;
  OrderName name;
};

// The arguments (blocking=True, timeout=-1) of acquire as a deadline: -1 without limit, 0 not at all. False with an exception.
bool acquire_deadline(PyObject* const* args, Py_ssize_t count, PyObject* keywords, int64_t* deadline);

// How many locks have been made, and how often one was taken while their order was watched.
extern int64_t locks_made;
extern int64_t locks_taken;

}  // namespace manycore::python::locks
