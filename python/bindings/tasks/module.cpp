// The extension module manycore._tasks: futures and pools for Python. Plain CPython interface, without NumPy and without
// nanobind, so that `from manycore.futures import ...` costs a program of tasks no more than this library's load.
#include "bindings/tasks/module.h"

#include "bindings/extension_module.h"
#include "bindings/locks/module.h"
#include "bindings/tasks/future_wakers.h"
#include "bindings/tasks/interpreter.h"
#include "bindings/tasks/may_wait.h"
#include "bindings/tasks/plain_values.h"
#include "bindings/tasks/standard.h"
#include "bindings/tasks/task_seat.h"
#include "manycore/version.h"

namespace {

int fill(PyObject* module) {
  using namespace manycore::python::tasks;
  if (PyModule_AddStringConstant(module, "__version__", MANYCORE_VERSION) < 0) return -1;
  const bool failed = load_standard() < 0 || !load_yield() || add_future_type(module) < 0 || add_map_type(module) < 0 ||
                      add_chunk_type(module) < 0 || add_thread_pool_type(module) < 0 || add_block_type(module) < 0 ||
                      add_process_worker(module) < 0 || add_may_wait(module) < 0 || add_plain_values(module) < 0 ||
                      add_process_core(module) < 0 || add_process_pool(module) < 0 || add_task_report(module) < 0 ||
                      add_stop_call(module) < 0 || add_task_seat(module) < 0 || add_worker_errors(module) < 0 ||
                      add_call_site(module) < 0 || add_travelling_errors(module) < 0 || add_future_wakers(module) < 0 ||
                      add_mailbox_type(module) < 0 || add_shared_semaphore_type(module) < 0 ||
                      manycore::python::locks::add_locks(module) < 0;
  return failed ? -1 : 0;
}

PyModuleDef definition = manycore::python::extension_module<fill>("manycore._tasks", "Futures and pools of manycore.futures.");

}  // namespace

PyMODINIT_FUNC PyInit__tasks() { return PyModuleDef_Init(&definition); }
