// The Python type ProcessCore: a pool's core (process_core.h) as the executor and its thread see it.
#include "bindings/tasks/process_core_object.h"

#include <new>

#include "bindings/tasks/module.h"
#include "bindings/tasks/pickling.h"
#include "manycore/errors.h"

namespace manycore::python::tasks {
namespace {

struct CoreObject {
  PyObject_HEAD ProcessCore* core;
};

PyTypeObject* core_type = nullptr;

ProcessCore& core_of(PyObject* self) { return *reinterpret_cast<CoreObject*>(self)->core; }

PyObject* make_core(PyTypeObject* type, PyObject* arguments, PyObject*) {
  int slots;
  PyObject *starter, *death_error;
  if (!PyArg_ParseTuple(arguments, "iOO:ProcessCore", &slots, &starter, &death_error) || load_pickling() < 0) return nullptr;
  Reference self(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  try {
    auto* core = new ProcessCore(self.get(), slots);
    reinterpret_cast<CoreObject*>(self.get())->core = core;
    core->starter = Reference::to(starter);
    core->death_error = Reference::to(death_error);
  } catch (const Error& error) {
    PyErr_SetString(PyExc_OSError, error.what());
    return nullptr;
  }
  return self.release();
}

void free_core(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  delete reinterpret_cast<CoreObject*>(self)->core;
  type->tp_free(self);
  Py_DECREF(type);
}

int visit_core(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (ProcessCore* core = reinterpret_cast<CoreObject*>(self)->core) {
    Py_VISIT(core->starter.get());
    Py_VISIT(core->death_error.get());
    Py_VISIT(core->main_by_value.get());
    Py_VISIT(core->refusal.get());
    Py_VISIT(core->breaking.get());
  }
  return 0;
}

int clear_core(PyObject* self) {
  if (ProcessCore* core = reinterpret_cast<CoreObject*>(self)->core) {
    core->starter = Reference();
    core->death_error = Reference();
    core->main_by_value = Reference();
  }
  return 0;
}

PyObject* detach(PyObject* self, PyObject*) {
  clear_core(self);
  Py_RETURN_NONE;
}

}  // namespace

bool is_core(PyObject* object) { return object != nullptr && Py_IS_TYPE(object, core_type); }

PyObject* submit_call(PyObject* core_object, PyObject* described, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if (count == 0) {
    PyErr_SetString(PyExc_TypeError, "ProcessPoolExecutor.submit() missing 1 required positional argument: 'fn'");
    return nullptr;
  }
  ProcessCore& core = core_of(core_object);
  if (!core.accepts()) return nullptr;
  const Reference arguments(PyTuple_New(count - 1));
  if (!arguments) return nullptr;
  for (Py_ssize_t i = 1; i < count; ++i) PyTuple_SET_ITEM(arguments.get(), i - 1, Py_NewRef(args[i]));
  Reference keywords;
  if (names != nullptr && PyTuple_GET_SIZE(names) > 0) {
    keywords = Reference(PyDict_New());
    for (Py_ssize_t i = 0; keywords && i < PyTuple_GET_SIZE(names); ++i) {
      if (PyDict_SetItem(keywords.get(), PyTuple_GET_ITEM(names, i), args[count + i]) < 0) return nullptr;
    }
    if (!keywords) return nullptr;
  }
  std::unique_ptr<CallOptions> options(described != nullptr ? make_options(described) : nullptr);
  if (options == nullptr && described != nullptr) return nullptr;
  return core.submit(args[0], arguments.get(), keywords.get(), std::move(options));
}

namespace {

PyObject* submit(PyObject* core, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return submit_call(core, nullptr, args, count, names);
}

PyObject* submit_items(PyObject* self, PyObject* args) {
  PyObject *function, *items;
  PyObject *described = Py_None, *site = nullptr;
  int tuples, only_with_room = 0;
  if (!PyArg_ParseTuple(args, "OOp|pOO:submit_items", &function, &items, &tuples, &only_with_room, &described, &site))
    return nullptr;
  ProcessCore& core = core_of(self);
  std::unique_ptr<CallOptions> options(described != Py_None ? make_options(described) : nullptr);
  if ((options == nullptr && described != Py_None) || !core.accepts()) return nullptr;
  return core.submit_items(function, items, tuples != 0, only_with_room != 0, std::move(options), site);
}

PyObject* check_pickle(PyObject* self, PyObject* object) {
  return core_of(self).can_pickle(object) ? Py_NewRef(Py_None) : nullptr;
}

PyObject* wait_for_room(PyObject* self, PyObject*) {
  const int waited = core_of(self).wait_for_room();
  return waited < 0 ? nullptr : PyBool_FromLong(waited);
}

PyObject* pressure(PyObject* self, void*) {
  ProcessCore& core = core_of(self);
  return Py_BuildValue("(LLL)", static_cast<long long>(core.waits), static_cast<long long>(core.nanoseconds_waited),
                       static_cast<long long>(core.crew->spill().bytes_spilled()));
}

PyObject* prepare(PyObject* self, PyObject*) {
  try {
    return PyLong_FromLong(core_of(self).crew->prepare());
  } catch (const Error& error) {
    PyErr_SetString(PyExc_OSError, error.what());
    return nullptr;
  }
}

PyObject* joined(PyObject* self, PyObject* args) {
  int slot;
  long process;
  if (!PyArg_ParseTuple(args, "il:joined", &slot, &process)) return nullptr;
  core_of(self).crew->joined(slot, static_cast<pid_t>(process));
  Py_RETURN_NONE;
}

PyObject* abandon(PyObject* self, PyObject* slot) {
  const long number = PyLong_AsLong(slot);
  if (number == -1 && PyErr_Occurred() != nullptr) return nullptr;
  core_of(self).crew->abandon(static_cast<int>(number));
  Py_RETURN_NONE;
}

PyObject* limit_calls(PyObject* self, PyObject* value) {
  const long long calls = PyLong_AsLongLong(value);
  if (calls == -1 && PyErr_Occurred() != nullptr) return nullptr;
  core_of(self).crew->limit_calls(calls);
  Py_RETURN_NONE;
}

PyObject* set_breaking(PyObject* self, PyObject* refusal) {
  core_of(self).breaking = Reference::to(refusal);
  Py_RETURN_NONE;
}

PyObject* set_main_by_value(PyObject* self, PyObject* function) {
  core_of(self).main_by_value = Reference::to(function);
  Py_RETURN_NONE;
}

PyObject* set_retries(PyObject* self, PyObject* value) {
  const long retries = PyLong_AsLong(value);
  if (retries == -1 && PyErr_Occurred() != nullptr) return nullptr;
  core_of(self).retries = static_cast<int>(retries);
  Py_RETURN_NONE;
}

PyObject* stop_retrying(PyObject* self, PyObject*) {
  core_of(self).crew->stop_retrying();
  Py_RETURN_NONE;
}

PyObject* set_death_error(PyObject* self, PyObject* function) {
  core_of(self).death_error = Reference::to(function);
  Py_RETURN_NONE;
}

PyObject* check_accepts(PyObject* self, PyObject*) { return core_of(self).accepts() ? Py_NewRef(Py_None) : nullptr; }

PyObject* serve(PyObject* self, PyObject*) { return core_of(self).serve_background(); }

PyObject* shut_down(PyObject* self, PyObject* refusal) {
  ProcessCore& core = core_of(self);
  core.shut_down = true;
  if (!core.refusal) core.refusal = Reference::to(refusal);
  core.crew->wake_background();
  Py_RETURN_NONE;
}

PyObject* refuse(PyObject* self, PyObject* refusal) {
  core_of(self).refusal = Reference::to(refusal);
  Py_RETURN_NONE;
}

PyObject* orphan(PyObject* self, PyObject* refusal) {
  core_of(self).refusal = Reference::to(refusal);
  core_of(self).orphan();
  Py_RETURN_NONE;
}

PyObject* cancel_waiting(PyObject* self, PyObject*) { return core_of(self).cancel_waiting() < 0 ? nullptr : Py_NewRef(Py_None); }

PyObject* fail_waiting(PyObject* self, PyObject* exception) {
  return core_of(self).fail_waiting(exception) < 0 ? nullptr : Py_NewRef(Py_None);
}

PyObject* live_workers(PyObject* self, PyObject*) { return PyLong_FromLong(core_of(self).crew->live_workers()); }
PyObject* outstanding(PyObject* self, PyObject*) { return PyLong_FromLongLong(core_of(self).crew->outstanding()); }
PyObject* blocks_descriptor(PyObject* self, void*) { return PyLong_FromLong(core_of(self).crew->blocks().descriptor()); }

PyObject* sent_bytes(PyObject* self, void*) {
  const worker::BlockCounts counts = core_of(self).crew->blocks().counts();
  return Py_BuildValue("(LLLL)", static_cast<long long>(counts.copied), static_cast<long long>(counts.found_equal),
                       static_cast<long long>(counts.found_unwritten), static_cast<long long>(counts.in_huge_pages));
}

PyObject* results_descriptor(PyObject* self, PyObject* slot) {
  const long number = PyLong_AsLong(slot);
  if (number == -1 && PyErr_Occurred() != nullptr) return nullptr;
  return PyLong_FromLong(core_of(self).crew->results_descriptor(static_cast<int>(number)));
}

PyObject* descriptor(PyObject* self, void*) { return PyLong_FromLong(core_of(self).crew->descriptor()); }

template <auto method>
PyCFunction cast() {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(method));
}

PyMethodDef core_methods[] = {
    {"submit", cast<submit>(), METH_FASTCALL | METH_KEYWORDS, "submit(fn, /, *args, **kwargs)\n--\n\nThe future of the call."},
    {"submit_items", submit_items, METH_VARARGS,
     "submit_items(fn, items, tuples, only_with_room=False, options=None, site=None, /)\n--\n\nThe future of (fn's results for "
     "the items or "
     "their packed "
     "numbers, exceptions by "
     "index or None, nanoseconds an item)."},
    {"check_pickle", check_pickle, METH_O, "Raise what keeps the object from being sent by itself."},
    {"wait_for_room", wait_for_room, METH_NOARGS,
     "Wait until memory has come back; False where none will or this thread may not wait."},
    {"prepare", prepare, METH_NOARGS, "A slot for a new worker, or -1 where all are taken."},
    {"results_descriptor", results_descriptor, METH_O, "Of the memory in which that slot's worker puts large results."},
    {"joined", joined, METH_VARARGS, "joined(slot, pid, /)\n--\n\nThe slot's process was started."},
    {"abandon", abandon, METH_O, "No process could be started for the slot."},
    {"limit_calls", limit_calls, METH_O, "Workers leave after so many calls."},
    {"set_breaking", set_breaking, METH_O,
     "As the standard: a worker's death makes submit() raise the given exception, and what cannot be read ends the worker."},
    {"set_main_by_value", set_main_by_value, METH_O,
     "The given function pickles what mentions __main__ by value: f(object, buffer callback), or answers None."},
    {"set_retries", set_retries, METH_O, "How often a call is run again whose worker died."},
    {"stop_retrying", stop_retrying, METH_NOARGS, "No call is run again from now on."},
    {"set_death_error", set_death_error, METH_O, "Another function that makes the errors of calls whose worker dies."},
    {"check_accepts", check_accepts, METH_NOARGS, "Raise what submit() raises once no more calls are taken."},
    {"serve", serve, METH_NOARGS,
     "For the background thread: wait until workers are gone, as a list of (pid, exit code, asked to leave, was ready, ended to "
     "end a call), or "
     "chunks of a map are done, as an empty one, or until the pool is shut down and nothing is left, as None."},
    {"shut_down", shut_down, METH_O, "Take no more calls, raising the given exception, and let workers leave when all is done."},
    {"refuse", refuse, METH_O, "Raise the given exception in submit()."},
    {"orphan", orphan, METH_O,
     "In a child of fork: the pool is the parent's; raise the given exception for all that is asked of it."},
    {"cancel_waiting", cancel_waiting, METH_NOARGS, "Cancel what no worker has begun."},
    {"fail_waiting", fail_waiting, METH_O, "Fail what no worker has begun with the given exception."},
    {"detach", detach, METH_NOARGS, "When all is over: forget who starts workers, which holds this core."},
    {"live_workers", live_workers, METH_NOARGS, "How many workers there are."},
    {"outstanding", outstanding, METH_NOARGS, "How many calls are not done."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef core_attributes[] = {
    {"descriptor", descriptor, nullptr, "Of the memory that workers share with the pool.", nullptr},
    {"sent_bytes", sent_bytes, nullptr,
     "Bytes of large arguments that were copied, found as they were sent before, known not to be written since, and "
     "copied into new huge pages.",
     nullptr},
    {"pressure", pressure, nullptr,
     "How often submit() waited for memory, how many nanoseconds together, and how many bytes went to disk instead.", nullptr},
    {"blocks_descriptor", blocks_descriptor, nullptr, "Of the memory in which the pool puts large arguments.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot core_slots[] = {
    {Py_tp_doc,
     const_cast<char*>("ProcessCore(slots, starter, death_error)\n--\n\nWhat a process pool's executor and its thread share.")},
    {Py_tp_new, reinterpret_cast<void*>(make_core)},
    {Py_tp_dealloc, reinterpret_cast<void*>(free_core)},
    {Py_tp_traverse, reinterpret_cast<void*>(visit_core)},
    {Py_tp_clear, reinterpret_cast<void*>(clear_core)},
    {Py_tp_methods, core_methods},
    {Py_tp_getset, core_attributes},
    {0, nullptr},
};

PyType_Spec core_spec = {"manycore._tasks.ProcessCore", sizeof(CoreObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                         core_slots};

}  // namespace

int add_process_core(PyObject* module) {
  core_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&core_spec));
  if (core_type == nullptr) return -1;
  return PyModule_AddObjectRef(module, "ProcessCore", reinterpret_cast<PyObject*>(core_type));
}

}  // namespace manycore::python::tasks
