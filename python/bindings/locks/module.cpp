#include "bindings/locks/module.h"

namespace manycore::python::locks {

int add_locks(PyObject* module) {
  const bool failed = add_deadlocks(module) < 0 || add_lock_order(module) < 0 || add_lock_types(module) < 0 ||
                      add_event_type(module) < 0 || add_semaphore_type(module) < 0 || add_ticket_type(module) < 0 ||
                      add_join(module) < 0;
  return failed ? -1 : 0;
}

}  // namespace manycore::python::locks
