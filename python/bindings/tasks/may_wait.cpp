#include "bindings/tasks/may_wait.h"

#include "bindings/tasks/reference.h"

namespace manycore::python::tasks {
namespace {

constexpr int64_t kMoment = 20'000'000;

thread_local int depth = 0;
thread_local bool serves = false;

bool runs_event_loop() {
  const Reference name(PyUnicode_FromString("asyncio.events"));
  const Reference module(name ? PyImport_GetModule(name.get()) : nullptr);
  const Reference loop(module ? PyObject_CallMethod(module.get(), "_get_running_loop", nullptr) : nullptr);
  PyErr_Clear();
  return loop && loop.get() != Py_None;
}

// For threads that serve others as long as they live.
PyObject* never_wait_here(PyObject*, PyObject*) {
  serves = true;
  Py_RETURN_NONE;
}

PyObject* ask(PyObject*, PyObject*) { return PyBool_FromLong(may_wait()); }

PyMethodDef functions[] = {
    {"never_wait_here", never_wait_here, METH_NOARGS,
     "This thread serves others: where there is no memory for what it sends, that goes to disk."},
    {"may_wait", ask, METH_NOARGS, "May this thread wait for memory, here and now?"},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

MayNotWait::MayNotWait() { ++depth; }
MayNotWait::~MayNotWait() { --depth; }

int64_t patience() {
  if (depth > 0 || runs_event_loop()) return 0;
  return serves ? kMoment : INT64_MAX;
}

bool serves_others() { return serves; }

bool may_wait() { return patience() == INT64_MAX; }

int add_may_wait(PyObject* module) { return PyModule_AddFunctions(module, functions); }

}  // namespace manycore::python::tasks
