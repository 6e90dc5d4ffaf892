#include "bindings/tasks/future_wakers.h"

#include <algorithm>

#include "bindings/tasks/future_object.h"
#include "bindings/tasks/map_run.h"
#include "bindings/tasks/pool_core.h"
#include "bindings/tasks/stop_call.h"

namespace manycore::python::tasks {

using manycore::sync::Wakers;

namespace {

bool has_call_of(PoolCore& pool, PyObject* future) {
  return pool.queue.find([future](const task::Call& call) {
    return call.kind == kPythonCall && static_cast<const PythonCall&>(call).future == future;
  });
}

PoolCore* pool_that_queues(PyObject* future) {
  for (PoolCore* pool = first_pool(); pool != nullptr; pool = pool->next) {
    if (has_call_of(*pool, future)) return pool;
  }
  return nullptr;
}

PyObject* method_grow(PyObject*, PyObject* arguments) {
  PyObject* future = nullptr;
  int most = 0;
  if (!PyArg_ParseTuple(arguments, "O!i:grow_pool_of", future_type, &future, &most)) return nullptr;
  const int started = grow_pool_of(future, most);
  return started < 0 ? nullptr : PyLong_FromLong(started);
}

PyObject* method_made(PyObject*, PyObject* future) {
  PoolCore* pool = PyObject_TypeCheck(future, future_type) ? pool_that_queues(future) : nullptr;
  if (pool == nullptr) Py_RETURN_NONE;
  return Py_BuildValue("iL", pool->queue.threads(), static_cast<long long>(pool->queue.waiting()));
}

PyMethodDef functions[] = {
    {"grow_pool_of", method_grow, METH_VARARGS,
     "grow_pool_of(future, most, /)\n--\n\nStart a thread more in the pool that this future's call waits in, unless it has grown "
     "by "
     "`most` already; how many were started."},
    {"pool_of_future", method_made, METH_O,
     "(threads, waiting calls) of the thread pool that the future's call waits in, or None."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

Wakers wakers_in_pool(PoolCore& pool) {
  Wakers wakers;
  if (pool.queue.has_thread_left()) {
    wakers.ready = true;
    return wakers;
  }
  wakers.exclusive = true;
  wakers.cancellable = true;
  wakers.threads = pool.workers;
  return wakers;
}

Wakers wakers_of_future(PyObject* future) {
  const FutureFields& fields = fields_of(future);
  Wakers wakers;
  if (is_done(fields) || fields.source != nullptr) {
    wakers.ready = true;
  } else if (fields.state == FutureState::kRunning) {
    if (fields.running != nullptr && fields.running->is_of_this_process()) {
      wakers.exclusive = true;
      wakers.threads.push_back(fields.running->thread());
    } else {
      wakers.anyone = true;
    }
  } else if (PoolCore* pool = pool_that_queues(future)) {
    return wakers_in_pool(*pool);
  } else {
    wakers.anyone = true;
  }
  return wakers;
}

Wakers wakers_of_any(PyObject* futures) {
  Wakers all;
  all.exclusive = true;
  const Reference list(PySequence_List(futures));
  if (!list) PyErr_Clear();
  for (Py_ssize_t i = 0; list && i < PyList_GET_SIZE(list.get()); ++i) {
    PyObject* future = PyList_GET_ITEM(list.get(), i);
    if (!PyObject_TypeCheck(future, future_type)) {
      all.ready = true;
      break;
    }
    if (is_done(fields_of(future))) continue;
    Wakers one = wakers_of_future(future);
    all.ready = all.ready || one.ready;
    all.anyone = all.anyone || one.anyone;
    all.exclusive = all.exclusive && one.exclusive;
    all.cancellable = all.cancellable || one.cancellable;
    for (manycore::sync::Thread* thread : one.threads) {
      if (std::find(all.threads.begin(), all.threads.end(), thread) == all.threads.end()) all.threads.push_back(thread);
    }
  }
  if (all.threads.empty() && !all.anyone) all.ready = true;
  return all;
}

int grow_pool_of(PyObject* future, int most) {
  PoolCore* pool = pool_that_queues(future);
  if (pool == nullptr || pool->grown >= most) return 0;
  pool->queue.allow_another();
  ++pool->grown;
  int started = 0;
  while (pool->queue.more_threads() == task::Queue::Next::start_thread) {
    if (!pool->start_thread()) return -1;
    ++started;
  }
  return started;
}

int add_future_wakers(PyObject* module) { return PyModule_AddFunctions(module, functions); }

}  // namespace manycore::python::tasks
