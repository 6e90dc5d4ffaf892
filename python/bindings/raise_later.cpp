#include "bindings/raise_later.h"

#include <deque>

namespace manycore::python {
namespace {

struct Raised {
  PyObject *type, *value, *traceback;
};

// Guarded by the GIL.
std::deque<Raised>& waiting() {
  static auto* raised = new std::deque<Raised>();  // leaked: pending calls may outlive static destruction
  return *raised;
}

int raise_first(void*) {
  if (waiting().empty()) return 0;
  const Raised raised = waiting().front();
  waiting().pop_front();
  PyErr_Restore(raised.type, raised.value, raised.traceback);
  return -1;
}

}  // namespace

void raise_later() {
  Raised raised{};
  PyErr_Fetch(&raised.type, &raised.value, &raised.traceback);
  if (raised.type == nullptr) return;
  waiting().push_back(raised);
  if (Py_AddPendingCall(raise_first, nullptr) == 0) return;
  waiting().pop_back();  // the queue is full; it is lost rather than this operation
  PyErr_Restore(raised.type, raised.value, raised.traceback);
  PyErr_WriteUnraisable(nullptr);
}

}  // namespace manycore::python
