// ProcessPool, the base of the process pool's executor with a quick submit(), and functions about processes.
#include "bindings/tasks/module.h"
#include "bindings/tasks/process_core_object.h"
#include "os/process.h"
#include "worker/watch.h"

namespace manycore::python::tasks {
namespace {

struct PoolObject {
  PyObject_HEAD PyObject* core;
};

PyObject* submit_described(PyObject* self, PyObject* described, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  PyObject* core = reinterpret_cast<PoolObject*>(self)->core;
  if (core == Py_None) {
    if (!Reference(PyObject_CallMethod(self, "_start_anew", nullptr))) return nullptr;
    core = reinterpret_cast<PoolObject*>(self)->core;
  }
  if (is_core(core)) return submit_call(core, described, args, count, names);
  PyErr_SetString(PyExc_RuntimeError, "ProcessPoolExecutor.submit: __init__ was not called");
  return nullptr;
}

PyObject* submit_to_pool(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return submit_described(self, nullptr, args, count, names);
}

// _submit_with(options, fn, /, *args, **kwargs)
PyObject* submit_with(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if (count > 0 && PyTuple_Check(args[0])) return submit_described(self, args[0], args + 1, count - 1, names);
  PyErr_SetString(PyExc_TypeError, "_submit_with: expected a tuple of options first; use pool.options(...).submit(...)");
  return nullptr;
}

PyObject* adopt_orphans(PyObject*, PyObject* on) {
  const int wanted = PyObject_IsTrue(on);
  return wanted < 0 ? nullptr : PyBool_FromLong(os::adopt_orphans(wanted != 0));
}

PyObject* open_process(PyObject*, PyObject* process) {
  const long number = PyLong_AsLong(process);
  if (number == -1 && PyErr_Occurred() != nullptr) return nullptr;
  const int descriptor = os::open_process(static_cast<pid_t>(number));
  return descriptor < 0 ? PyErr_SetFromErrno(PyExc_OSError) : PyLong_FromLong(descriptor);
}

PyObject* end_with(PyObject*, PyObject* descriptor) {
  const long number = PyLong_AsLong(descriptor);
  if (number == -1 && PyErr_Occurred() != nullptr) return nullptr;
  if (!worker::end_with(static_cast<int>(number))) {
    PyErr_SetString(PyExc_OSError, "worker process: no thread could be started that watches the parent");
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* count_calls(PyObject*, PyObject*) { return PyLong_FromLongLong(calls_answered()); }

template <auto method>
PyCFunction cast() {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(method));
}

int visit_pool(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(reinterpret_cast<PoolObject*>(self)->core);
  return 0;
}

int clear_pool(PyObject* self) {
  Py_CLEAR(reinterpret_cast<PoolObject*>(self)->core);
  return 0;
}

void free_pool(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  clear_pool(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* get_core(PyObject* self, void*) {
  PyObject* core = reinterpret_cast<PoolObject*>(self)->core;
  return Py_NewRef(core != nullptr ? core : Py_None);
}

int set_core(PyObject* self, PyObject* value, void*) {
  Py_XSETREF(reinterpret_cast<PoolObject*>(self)->core, Py_XNewRef(value));
  return 0;
}

PyMethodDef pool_methods[] = {
    {"submit", cast<submit_to_pool>(), METH_FASTCALL | METH_KEYWORDS,
     "submit($self, fn, /, *args, **kwargs)\n--\n\nRun fn(*args, **kwargs) in a worker process and answer its future. The worker "
     "sees "
     "the arguments as they are now."},
    {"_submit_with", cast<submit_with>(), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef pool_attributes[] = {
    {"_core", get_core, set_core, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot pool_slots[] = {
    {Py_tp_doc, const_cast<char*>("The base of the process pool's executor.")},
    {Py_tp_dealloc, reinterpret_cast<void*>(free_pool)},
    {Py_tp_traverse, reinterpret_cast<void*>(visit_pool)},
    {Py_tp_clear, reinterpret_cast<void*>(clear_pool)},
    {Py_tp_methods, pool_methods},
    {Py_tp_getset, pool_attributes},
    {0, nullptr},
};

PyType_Spec pool_spec = {"manycore._tasks.ProcessPool", sizeof(PoolObject), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, pool_slots};

PyMethodDef functions[] = {
    {"adopt_orphans", adopt_orphans, METH_O,
     "adopt_orphans(on, /)\n--\n\nWhether processes below this one that lose their parent become its children; answers what was "
     "before."},
    {"open_process", open_process, METH_O,
     "open_process(pid, /)\n--\n\nA descriptor that becomes readable when the process ends."},
    {"end_with", end_with, METH_O,
     "end_with(descriptor)\n--\n\nEnd this process and all below it when the process behind the descriptor ends."},
    {"calls_answered", count_calls, METH_NOARGS, "How many calls worker processes have answered to this process."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

int add_process_pool(PyObject* module) {
  const Reference pool(PyType_FromSpec(&pool_spec));
  if (!pool || PyModule_AddFunctions(module, functions) < 0) return -1;
  return PyModule_AddObjectRef(module, "ProcessPool", pool.get());
}

}  // namespace manycore::python::tasks
