#include "bindings/tasks/standard.h"

#include "bindings/tasks/reference.h"

namespace manycore::python::tasks {

Standard standard;
Names names;

namespace {

bool take(PyObject* module, const char* name, PyObject** place) {
  *place = PyObject_GetAttrString(module, name);
  return *place != nullptr;
}

bool intern(const char* name, PyObject** place) {
  *place = PyUnicode_InternFromString(name);
  return *place != nullptr;
}

}  // namespace

int load_standard() {
  const Reference base(PyImport_ImportModule("concurrent.futures._base"));
  const Reference threading(PyImport_ImportModule("threading"));
  if (!base || !threading) return -1;
  const bool whole =
      take(base.get(), "Future", &standard.future) && take(base.get(), "CancelledError", &standard.cancelled_error) &&
      take(base.get(), "InvalidStateError", &standard.invalid_state_error) && take(base.get(), "LOGGER", &standard.logger) &&
      take(base.get(), "PENDING", &standard.states[0]) && take(base.get(), "RUNNING", &standard.states[1]) &&
      take(base.get(), "CANCELLED", &standard.states[2]) && take(base.get(), "CANCELLED_AND_NOTIFIED", &standard.states[3]) &&
      take(base.get(), "FINISHED", &standard.states[4]) && take(threading.get(), "Condition", &standard.new_condition) &&
      intern("acquire", &names.acquire) && intern("release", &names.release) && intern("notify_all", &names.notify_all) &&
      intern("add_result", &names.add_result) && intern("add_exception", &names.add_exception) &&
      intern("add_cancelled", &names.add_cancelled);
  return whole ? 0 : -1;
}

void raise_from_results(PyObject* exception) {
  if (PyErr_GivenExceptionMatches(exception, PyExc_StopIteration) == 0) return raise(exception);
  const Reference error(PyObject_CallFunction(PyExc_RuntimeError, "s", "generator raised StopIteration"));
  if (!error) return;
  PyException_SetCause(error.get(), Py_NewRef(exception));
  raise(error.get());
}

}  // namespace manycore::python::tasks
