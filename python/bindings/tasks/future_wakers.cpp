#include "bindings/tasks/future_wakers.h"

#include <algorithm>

#include "bindings/locks/lock_order.h"
#include "bindings/tasks/future_object.h"
#include "bindings/tasks/future_wait.h"
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

bool goes_on(PoolCore& pool) {
  if (pool.queue.has_thread_left()) return true;
  return std::any_of(pool.workers.begin(), pool.workers.end(),
                     [](const manycore::sync::Thread* worker) { return worker->wait == nullptr || worker->wait->pauses; });
}

PyObject* method_grow(PyObject*, PyObject* arguments) {
  PyObject* thing = nullptr;
  int most = 0;
  if (!PyArg_ParseTuple(arguments, "Oi:grow_pool_of", &thing, &most)) return nullptr;
  const int started = grow_pool_of(thing, most);
  return started < 0 ? nullptr : PyLong_FromLong(started);
}

// The call of a future of ours while it waits or runs here; null otherwise.
const PythonCall* call_of(PyObject* future) {
  const FutureFields& fields = fields_of(future);
  if (fields.running != nullptr) return fields.running->is_of_this_process() ? fields.running->call() : nullptr;
  const PythonCall* found = nullptr;
  for (PoolCore* pool = first_pool(); pool != nullptr && found == nullptr; pool = pool->next) {
    pool->queue.find([&](const task::Call& call) {
      if (call.kind != kPythonCall || static_cast<const PythonCall&>(call).future != future) return false;
      found = static_cast<const PythonCall*>(&call);
      return true;
    });
  }
  return found;
}

PyObject* method_call_of(PyObject*, PyObject* future) {
  const PythonCall* call = PyObject_TypeCheck(future, future_type) ? call_of(future) : nullptr;
  if (call == nullptr) Py_RETURN_NONE;
  return Py_BuildValue("(ON)", call->callable, locks::place_text(call->made));
}

PyObject* method_await(PyObject*, PyObject* future) {
  if (!PyObject_TypeCheck(future, future_type)) {
    PyErr_SetString(PyExc_TypeError, "await_done: expected a Future of manycore.futures");
    return nullptr;
  }
  return wait_until_done(future, -1) < 0 ? nullptr : Py_NewRef(Py_None);
}

PoolCore* pool_of_thing(PyObject* thing) {
  if (PoolCore* pool = pool_of_results(thing)) return pool;
  if (PyObject_TypeCheck(thing, future_type)) return pool_that_queues(thing);
  if (!PyAnySet_Check(thing) && !PyList_Check(thing)) return nullptr;
  const Reference list(PySequence_List(thing));
  if (!list) PyErr_Clear();
  for (Py_ssize_t i = 0; list && i < PyList_GET_SIZE(list.get()); ++i) {
    PyObject* future = PyList_GET_ITEM(list.get(), i);
    if (!PyObject_TypeCheck(future, future_type) || is_done(fields_of(future))) continue;
    if (PoolCore* pool = pool_that_queues(future)) return pool;
  }
  return nullptr;
}

// The address of the pool in which the call of the future waits, or that the executor is; 0: none.
PyObject* method_key(PyObject*, PyObject* thing) {
  PoolCore* pool = pool_of_executor(thing);
  return PyLong_FromVoidPtr(pool != nullptr ? pool : pool_of_thing(thing));
}

PyMethodDef functions[] = {
    {"grow_pool_of", method_grow, METH_VARARGS,
     "grow_pool_of(thing, most, /)\n--\n\nStart a thread more in the pool that this future's call (or those of these, or a "
     "map's) waits in, unless it has grown "
     "by "
     "`most` already; how many were started."},
    {"call_of_future", method_call_of, METH_O,
     "The function of a future's call while it waits or runs in this process, and where it was submitted, if that is kept; or "
     "None."},
    {"pool_key", method_key, METH_O,
     "The same number for a thread pool and for what waits for a thread of it; 0 for anything else."},
    {"await_done", method_await, METH_O, "Until the future is done."},
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
  } else {
    // Long queues are looked through only where nobody works on them.
    for (PoolCore* pool = first_pool(); pool != nullptr; pool = pool->next) {
      if (pool->queue.waiting() == 0) continue;
      if (goes_on(*pool)) {
        wakers.ready = true;
      } else if (has_call_of(*pool, future)) {
        return wakers_in_pool(*pool);
      }
    }
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

int grow_pool_of(PyObject* thing, int most) {
  PoolCore* pool = pool_of_thing(thing);
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
