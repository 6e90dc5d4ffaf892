// What the extension manycore._tasks is made of: each function adds its types to the module and answers 0, or -1 with a Python
// error set. Called once, at import, with the GIL.
#pragma once

#include <Python.h>

namespace manycore::python::tasks {

int add_future_type(PyObject* module);
int add_map_type(PyObject* module);
int add_chunk_type(PyObject* module);
int add_thread_pool_type(PyObject* module);
int add_block_type(PyObject* module);
int add_process_core(PyObject* module);
int add_process_pool(PyObject* module);
int add_process_worker(PyObject* module);
int add_task_report(PyObject* module);
int add_travelling_errors(PyObject* module);
int add_call_site(PyObject* module);
int add_stop_call(PyObject* module);
int add_worker_errors(PyObject* module);
int add_call_site(PyObject* module);
int add_task_seat(PyObject* module);
int add_mailbox_type(PyObject* module);
int add_shared_semaphore_type(PyObject* module);

}  // namespace manycore::python::tasks
