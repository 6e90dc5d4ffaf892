#include "bindings/tasks/task_seat.h"

#include "bindings/tasks/module.h"
#include "bindings/tasks/pool_core.h"
#include "library/thread_limits.h"

namespace manycore::python::tasks {
namespace {

thread_local TaskSeat* seat = nullptr;
thread_local int rests = 0;  // that Python code has begun

// Libraries are loaded by imports.
uint64_t modules() { return static_cast<uint64_t>(PyDict_GET_SIZE(PyImport_GetModuleDict())); }

PyObject* share(PyObject*, PyObject*) { return PyLong_FromLong(sched::share_for_pools()); }

PyObject* is_nested(PyObject*, PyObject*) { return PyBool_FromLong(sched::is_nested() ? 1 : 0); }

PyObject* limit_budget(PyObject*, PyObject* arguments) {
  int cores, exactly;
  if (!PyArg_ParseTuple(arguments, "ip:limit_budget", &cores, &exactly)) return nullptr;
  sched::limit_budget(cores, exactly != 0);
  library::apply_budget();
  library::follow_budget(modules());
  Py_RETURN_NONE;
}

PyObject* rest(PyObject*, PyObject* begins) {
  const int begin = PyObject_IsTrue(begins);
  if (begin < 0) return nullptr;
  if (seat != nullptr) {
    if (begin != 0 && rests++ == 0) seat->leave();
    if (begin == 0 && --rests == 0) seat->take_again();
  }
  Py_RETURN_NONE;
}

PyObject* thread_limits(PyObject*, PyObject*) {
  const library::ThreadLimits limits = library::thread_limits();
  return Py_BuildValue("iLi", limits.libraries, static_cast<long long>(limits.told), limits.threads);
}

PyMethodDef functions[] = {
    {"share", share, METH_NOARGS, "How many cores of the one budget are the calling task's, or without one the process's."},
    {"is_nested", is_nested, METH_NOARGS, "Is this a task, or a worker process that has a part of its program's cores?"},
    {"limit_budget", limit_budget, METH_VARARGS,
     "limit_budget(cores, exactly, /)\n--\n\nThis process is a worker that has so many cores; exactly: somebody asked for them."},
    {"rest", rest, METH_O, "rest(begins, /)\n--\n\nThe task of this thread begins, or ends, to wait for others."},
    {"thread_limits", thread_limits, METH_NOARGS,
     "How many libraries with threads are loaded, how often one was told how many, and how many threads OpenBLAS has."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

TaskSeat::TaskSeat(PoolCore& pool) : pool_(pool), outer_(seat), generation_(process_generation()) {
  seat = this;
  take_again();
}

TaskSeat::~TaskSeat() {
  seat = outer_;
  leave();
}

void TaskSeat::leave() {
  if (generation_ != process_generation()) return;  // in a forked child, which has no tasks
  pool_.count_running(-1);
  if (sched::claimed() == 0) library::release_budget();
}

void TaskSeat::take_again() {
  if (generation_ != process_generation()) return;
  pool_.count_running(1);
  library::follow_budget(modules());
}

Resting::Resting() : seat_(rests == 0 ? seat : nullptr) {
  if (seat_ != nullptr) seat_->leave();
}

Resting::~Resting() {
  if (seat_ != nullptr) seat_->take_again();
}

void follow_budget() { library::follow_budget(modules()); }

int add_task_seat(PyObject* module) { return PyModule_AddFunctions(module, functions); }

}  // namespace manycore::python::tasks
