// The C half of ThreadPoolExecutor: submit, map, shutdown. The Python half (manycore/futures/thread.py) checks arguments and starts
// threads.
#include "bindings/tasks/call_options.h"
#include "bindings/tasks/future_wait.h"
#include "bindings/tasks/map_run.h"
#include "bindings/tasks/module.h"
#include "bindings/tasks/pool_core.h"

namespace manycore::python::tasks {
namespace {

PyTypeObject* pool_type = nullptr;

struct ThreadPool {
  PyObject_HEAD PoolCore* core;  // null until __init__
};

PoolCore* core_of(PyObject* self) {
  PoolCore* core = reinterpret_cast<ThreadPool*>(self)->core;
  if (core == nullptr) PyErr_SetString(PyExc_RuntimeError, "ThreadPoolExecutor.__init__() was not called");
  return core;
}

int initialize(PyObject* self, PyObject* args, PyObject* keywords) {
  int most_threads = 0, inherits = 0;
  PyObject *start = nullptr, *broken_error = nullptr, *initializer = nullptr, *arguments = nullptr;
  if (!PyArg_ParseTuple(args, "iOOOO!p:ThreadPool", &most_threads, &start, &broken_error, &initializer, &PyTuple_Type, &arguments,
                        &inherits)) {
    return -1;
  }
  PoolCore*& core = reinterpret_cast<ThreadPool*>(self)->core;
  if (core != nullptr) {
    core->queue.stop();
    core->drop();
  }
  core = new PoolCore(most_threads);
  core->start = Reference::to(start);
  core->broken_error = Reference::to(broken_error);
  if (initializer != Py_None) core->initializer = Reference::to(initializer);
  core->arguments = Reference::to(arguments);
  core->inherits_context = inherits != 0;
  return 0;
}

// With the options of the call, or null. A call of its own would be a percent of what a submit costs.
[[gnu::always_inline]] inline PyObject* submit_call(PoolCore* core, PyObject* described, PyObject* const* args, Py_ssize_t count,
                                                    PyObject* keywords) {
  if (core == nullptr) return nullptr;
  if (count == 0) {
    PyErr_SetString(PyExc_TypeError, "ThreadPoolExecutor.submit() missing 1 required positional argument: 'fn'");
    return nullptr;
  }
  if (core->refuse_when_closed() < 0) return nullptr;
  Reference future(new_future());
  const Reference context(core->inherits_context ? PyContext_CopyCurrent() : nullptr);
  if (!future || (!context && core->inherits_context)) return nullptr;
  PythonCall* call = make_call(future.get(), context.get(), args, count, keywords);
  if (call == nullptr) return nullptr;
  if (described != nullptr && (call->order = make_options(described)) == nullptr) {
    free_call(call);
    return nullptr;
  }
  if (!core->submit(*call)) {
    free_call(call);
    return nullptr;
  }
  return future.release();
}

PyObject* submit(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  return submit_call(core_of(self), nullptr, args, count, keywords);
}

// _submit_with(options, fn, /, *args, **kwargs)
PyObject* submit_with(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (count > 0 && PyTuple_Check(args[0])) return submit_call(core_of(self), args[0], args + 1, count - 1, keywords);
  PyErr_SetString(PyExc_TypeError, "_submit_with: expected a tuple of options first; use pool.options(...).submit(...)");
  return nullptr;
}

// _map(fn, iterables, timeout, options=None)
PyObject* map(PyObject* self, PyObject* args) {
  PoolCore* core = core_of(self);
  PyObject *callable = nullptr, *iterables = nullptr, *timeout = nullptr, *described = Py_None;
  if (core == nullptr || !PyArg_ParseTuple(args, "OO!O|O:_map", &callable, &PyTuple_Type, &iterables, &timeout, &described)) {
    return nullptr;
  }
  int64_t deadline = -1;
  if (!deadline_of(timeout, &deadline)) return nullptr;
  CallOptions* options = described == Py_None ? nullptr : make_options(described);
  if (options == nullptr && described != Py_None) return nullptr;
  return start_map(*core, callable, iterables, deadline, options);
}

// _map_row(fn, list, whether its items are tuples of arguments, timeout)
PyObject* map_row(PyObject* self, PyObject* args) {
  PoolCore* core = core_of(self);
  PyObject *callable = nullptr, *list = nullptr, *timeout = nullptr;
  int unpacks = 0;
  if (core == nullptr || !PyArg_ParseTuple(args, "OO!pO:_map_row", &callable, &PyList_Type, &list, &unpacks, &timeout)) {
    return nullptr;
  }
  int64_t deadline = -1;
  return deadline_of(timeout, &deadline) ? start_row(*core, callable, list, unpacks != 0, deadline) : nullptr;
}

// _stop(cancel): no submit from now on; workers end when nothing waits.
PyObject* stop(PyObject* self, PyObject* cancels) {
  PoolCore* core = core_of(self);
  const int cancel = PyObject_IsTrue(cancels);
  if (core == nullptr || cancel < 0) return nullptr;
  core->shut_down = true;
  if (cancel != 0) core->cancel_waiting();
  core->queue.stop();
  Py_RETURN_NONE;
}

PyObject* get_shutdown(PyObject* self, void*) {
  const PoolCore* core = core_of(self);
  return core == nullptr ? nullptr : PyBool_FromLong(core->shut_down);
}

PyObject* get_broken(PyObject* self, void*) {
  const PoolCore* core = core_of(self);
  if (core == nullptr) return nullptr;
  return Py_NewRef(core->broken ? core->broken.get() : Py_False);
}

PyObject* get_waiting(PyObject* self, void*) {
  const PoolCore* core = core_of(self);
  return core == nullptr ? nullptr : PyLong_FromLongLong(core->queue.waiting());
}

PyObject* get_busy(PyObject* self, void*) {
  PoolCore* core = core_of(self);
  return core == nullptr ? nullptr : PyLong_FromLong(core->queue.threads() - core->queue.idle());
}

// What only this executor holds; once there are threads they hold the core too, and what is in it lives by them.
int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  const PoolCore* core = reinterpret_cast<ThreadPool*>(self)->core;
  if (core == nullptr || core->holders > 1) return 0;
  Py_VISIT(core->start.get());
  Py_VISIT(core->initializer.get());
  Py_VISIT(core->arguments.get());
  return 0;
}

int clear(PyObject* self) {
  PoolCore*& core = reinterpret_cast<ThreadPool*>(self)->core;
  if (core == nullptr) return 0;
  core->queue.stop();
  std::exchange(core, nullptr)->drop();
  return 0;
}

void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  PyTypeObject* type = Py_TYPE(self);
  clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef methods[] = {
    {"submit", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(submit)), METH_FASTCALL | METH_KEYWORDS,
     "submit($self, fn, /, *args, **kwargs)\n--\n\nHave a thread call fn(*args, **kwargs); answers its Future."},
    {"_submit_with", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(submit_with)), METH_FASTCALL | METH_KEYWORDS,
     nullptr},
    {"_map", map, METH_VARARGS, nullptr},
    {"_map_row", map_row, METH_VARARGS, nullptr},
    {"_stop", stop, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef attributes[] = {
    {"_shutdown", get_shutdown, nullptr, "Whether shutdown() was called.", nullptr},
    {"_broken", get_broken, nullptr, "Why no submit is taken any more, or False.", nullptr},
    {"_waiting", get_waiting, nullptr, "How many tasks wait for a thread.", nullptr},
    {"_busy", get_busy, nullptr, "How many threads run a task.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

template <auto function>
PyObject* call_it(PyObject*, PyObject*) {
  function();
  Py_RETURN_NONE;
}

PyObject* count_tasks(PyObject*, PyObject*) { return PyLong_FromLongLong(tasks_run()); }

PyMethodDef functions[] = {
    {"stop_all_pools", call_it<stop_all_pools>, METH_NOARGS, "The interpreter ends: refuse submits, finish what waits."},
    {"after_fork_in_child", call_it<after_fork_in_child>, METH_NOARGS, nullptr},
    {"tasks_run", count_tasks, METH_NOARGS, "How many tasks threads of this process have taken up."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

PoolCore* pool_of_executor(PyObject* executor) {
  return PyObject_TypeCheck(executor, pool_type) ? reinterpret_cast<ThreadPool*>(executor)->core : nullptr;
}

int add_thread_pool_type(PyObject* module) {
  PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("The C half of manycore.futures.ThreadPoolExecutor.")},
      {Py_tp_init, reinterpret_cast<void*>(initialize)},
      {Py_tp_new, reinterpret_cast<void*>(PyType_GenericNew)},
      {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
      {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(clear)},
      {Py_tp_methods, methods},
      {Py_tp_getset, attributes},
      {0, nullptr},
  };
  PyType_Spec spec = {"manycore._tasks.ThreadPool", sizeof(ThreadPool), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, slots};
  const Reference type(PyType_FromSpec(&spec));
  if (!type || PyModule_AddObjectRef(module, "ThreadPool", type.get()) < 0) return -1;
  pool_type = reinterpret_cast<PyTypeObject*>(Py_NewRef(type.get()));
  if (!watch_forks()) {
    PyErr_NoMemory();
    return -1;
  }
  return PyModule_AddFunctions(module, functions);
}

}  // namespace manycore::python::tasks
