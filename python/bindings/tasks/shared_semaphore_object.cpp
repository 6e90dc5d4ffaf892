// The Python type of semaphores that processes share (worker/shared_semaphore.h), with the methods of _multiprocessing.SemLock, so that the
// classes of multiprocessing.synchronize work over it. As there, how often a thread has a recursive one is counted in the object.
#include <pthread.h>
#include <unistd.h>

#include <cmath>
#include <new>

#include "bindings/gil.h"
#include "bindings/tasks/interpreter.h"
#include "bindings/tasks/module.h"
#include "bindings/tasks/reference.h"
#include "manycore/errors.h"
#include "os/clock.h"
#include "worker/shared_cells.h"
#include "worker/shared_semaphore.h"

namespace manycore::python::tasks {
namespace {

enum Kind : int { kRecursive = 0, kSemaphore = 1 };  // as in multiprocessing.synchronize

struct SemaphoreObject {
  PyObject_HEAD worker::Cell cell;
  worker::SharedSemaphore* shared;
  PyObject* told;  // told(self, process, taken over): a process died that had it
  int kind;
  int64_t count;  // how often this process has acquired it more than released
  unsigned long thread;
  int32_t dead_told;
};

SemaphoreObject& of(PyObject* self) { return *reinterpret_cast<SemaphoreObject*>(self); }

int32_t this_process = 0;

// As the system numbers them; asked once for each thread and process.
int32_t this_thread() {
  thread_local int32_t number = 0;
  thread_local int32_t process = 0;
  if (process != this_process) {
    process = this_process;
    number = static_cast<int32_t>(gettid());
  }
  return number;
}

bool is_mine(const SemaphoreObject& self) { return self.count > 0 && self.thread == PyThread_get_thread_ident(); }

PyObject* make(PyTypeObject* type, PyObject* arguments, PyObject*) {
  int kind, descriptor = -1;
  long long value, most, number = 0;
  PyObject* told;
  if (!PyArg_ParseTuple(arguments, "iLLO|iL:SharedSemaphore", &kind, &value, &most, &told, &descriptor, &number)) return nullptr;
  if (value < 0 || value > most || most > INT32_MAX) {
    PyErr_SetString(PyExc_ValueError, "semaphore initial value must be >= 0 and at most its greatest value");
    return nullptr;
  }
  Reference object(type->tp_alloc(type, 0));
  if (!object) return nullptr;
  SemaphoreObject& self = of(object.get());
  new (&self.cell) worker::Cell();
  try {
    self.cell = descriptor >= 0 ? worker::open_cell(descriptor, number) : worker::make_cell();
  } catch (const Error& error) {
    PyErr_SetString(PyExc_OSError, error.what());
    return nullptr;
  }
  if (descriptor >= 0) {
    self.shared = reinterpret_cast<worker::SharedSemaphore*>(self.cell.memory);
  } else {
    self.shared = new (self.cell.memory) worker::SharedSemaphore();
    self.shared->most = static_cast<uint32_t>(most);
    self.shared->places.store(static_cast<uint32_t>(value));
  }
  self.told = Py_NewRef(told);
  self.kind = kind;
  return object.release();
}

void dealloc(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  of(object).cell.~Cell();
  Py_CLEAR(of(object).told);
  type->tp_free(object);
  Py_DECREF(type);
}

bool taken(SemaphoreObject& self) {
  ++self.count;
  self.thread = PyThread_get_thread_ident();
  return true;
}

// 1, or 0 where the time is up, or -1 with an exception.
int acquire_slowly(PyObject* object, int64_t deadline) {
  SemaphoreObject& self = of(object);
  for (;;) {
    const int64_t left = deadline < 0 ? INT64_MAX : deadline - os::now_nanoseconds();
    if (left <= 0) return 0;
    PyThreadState* state = release_interpreter();
    const os::FutexWait waited = self.shared->wait(left);
    take_gil(state);
    if (PyErr_CheckSignals() < 0) return -1;
    if (self.shared->try_acquire(this_process, this_thread())) return 1;
    if (waited != os::FutexWait::timed_out) continue;
    const pid_t dead = self.shared->dead_owner();
    if (dead == 0) continue;
    // Nobody but its holder may release a recursive lock; another lock may still be.
    const bool taken_over = self.kind == kRecursive && self.shared->take_from(dead, this_process, this_thread());
    if (!taken_over && self.dead_told == dead) continue;
    self.dead_told = dead;
    const Reference said(
        PyObject_CallFunction(self.told, "OlO", object, static_cast<long>(dead), taken_over ? Py_True : Py_False));
    if (!said) PyErr_WriteUnraisable(object);
    if (taken_over) return 1;
  }
}

// None is for ever. False with an exception.
bool read_deadline(PyObject* timeout, int64_t* deadline) {
  *deadline = -1;
  if (timeout == nullptr || timeout == Py_None) return true;
  const double seconds = PyFloat_AsDouble(timeout);
  if (seconds == -1 && PyErr_Occurred() != nullptr) return false;
  if (std::isnan(seconds) || seconds > 1e9) return true;
  *deadline = os::now_nanoseconds() + static_cast<int64_t>(std::max(seconds, 0.0) * 1e9);
  return true;
}

int acquire_with(PyObject* object, bool blocks, PyObject* timeout) {
  SemaphoreObject& self = of(object);
  if (self.kind == kRecursive && is_mine(self)) {
    ++self.count;
    return 1;
  }
  if (self.shared->try_acquire(this_process, this_thread())) return taken(self) ? 1 : 0;
  if (!blocks) return 0;
  int64_t deadline;
  if (!read_deadline(timeout, &deadline)) return -1;
  const int result = acquire_slowly(object, deadline);
  if (result > 0) taken(self);
  return result;
}

PyObject* acquire(PyObject* object, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  PyObject* values[2] = {count > 0 ? args[0] : nullptr, count > 1 ? args[1] : nullptr};
  if (count > 2) {
    PyErr_Format(PyExc_TypeError, "acquire expected at most 2 arguments, got %zd", count);
    return nullptr;
  }
  for (Py_ssize_t i = 0; names != nullptr && i < PyTuple_GET_SIZE(names); ++i) {
    PyObject* name = PyTuple_GET_ITEM(names, i);
    const int place = PyUnicode_CompareWithASCIIString(name, "block") == 0     ? 0
                      : PyUnicode_CompareWithASCIIString(name, "timeout") == 0 ? 1
                                                                               : -1;
    if (place < 0 || values[place] != nullptr) {
      PyErr_Format(PyExc_TypeError, "acquire() got an unexpected keyword argument %R", name);
      return nullptr;
    }
    values[place] = args[count + i];
  }
  const int blocks = values[0] == nullptr ? 1 : PyObject_IsTrue(values[0]);
  if (blocks < 0) return nullptr;
  const int result = acquire_with(object, blocks != 0, values[1]);
  return result < 0 ? nullptr : PyBool_FromLong(result);
}

PyObject* release(PyObject* object, PyObject*) {
  SemaphoreObject& self = of(object);
  if (self.kind == kRecursive) {
    if (!is_mine(self)) {
      PyErr_SetString(PyExc_AssertionError, "attempt to release recursive lock not owned by thread");
      return nullptr;
    }
    if (self.count > 1) {
      --self.count;
      Py_RETURN_NONE;
    }
  }
  if (!self.shared->release()) {
    PyErr_SetString(PyExc_ValueError, "semaphore or lock released too many times");
    return nullptr;
  }
  --self.count;
  Py_RETURN_NONE;
}

PyObject* enter(PyObject* object, PyObject*) {
  const int result = acquire_with(object, true, nullptr);
  return result < 0 ? nullptr : PyBool_FromLong(result);
}

PyObject* leave(PyObject* object, PyObject* const*, Py_ssize_t) { return release(object, nullptr); }

PyObject* get_count(PyObject* object, PyObject*) { return PyLong_FromLongLong(of(object).count); }
PyObject* get_is_mine(PyObject* object, PyObject*) { return PyBool_FromLong(is_mine(of(object))); }
PyObject* get_value(PyObject* object, PyObject*) { return PyLong_FromUnsignedLong(of(object).shared->places.load()); }
PyObject* is_zero(PyObject* object, PyObject*) { return PyBool_FromLong(of(object).shared->places.load() == 0); }

PyObject* after_fork(PyObject* object, PyObject*) {
  of(object).count = 0;
  Py_RETURN_NONE;
}

PyObject* kind(PyObject* object, void*) { return PyLong_FromLong(of(object).kind); }
PyObject* maxvalue(PyObject* object, void*) { return PyLong_FromUnsignedLong(of(object).shared->most); }
PyObject* handle(PyObject* object, void*) { return PyLong_FromVoidPtr(of(object).cell.memory); }
PyObject* name(PyObject*, void*) { Py_RETURN_NONE; }

PyObject* place(PyObject* object, void*) {
  const worker::Cell& cell = of(object).cell;
  return Py_BuildValue("(iL)", worker::descriptor_of(cell), static_cast<long long>(cell.number));
}

PyObject* owner(PyObject* object, void*) {
  const worker::SharedSemaphore& shared = *of(object).shared;
  return Py_BuildValue("(ii)", static_cast<int>(shared.owner_process.load()), static_cast<int>(shared.owner_thread.load()));
}

template <auto method>
PyCFunction cast() {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(method));
}

PyMethodDef methods[] = {
    {"acquire", cast<acquire>(), METH_FASTCALL | METH_KEYWORDS, "acquire(block=True, timeout=None)\n--\n\nTake a place."},
    {"release", release, METH_NOARGS, "Give a place back."},
    {"__enter__", enter, METH_NOARGS, nullptr},
    {"__exit__", cast<leave>(), METH_FASTCALL, nullptr},
    {"_count", get_count, METH_NOARGS, "How often this process has acquired it and not released."},
    {"_is_mine", get_is_mine, METH_NOARGS, "Has this thread acquired it last?"},
    {"_get_value", get_value, METH_NOARGS, "How many places are free."},
    {"_is_zero", is_zero, METH_NOARGS, "Is none free?"},
    {"_after_fork", after_fork, METH_NOARGS, "In a child: nothing of it is this process's."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef attributes[] = {
    {"kind", kind, nullptr, nullptr, nullptr},
    {"maxvalue", maxvalue, nullptr, nullptr, nullptr},
    {"handle", handle, nullptr, "Where it lies.", nullptr},
    {"name", name, nullptr, "None: it has none.", nullptr},
    {"place", place, nullptr, "The descriptor of the memory and the number in it, for another process.", nullptr},
    {"owner", owner, nullptr, "The process and the thread that have the one place; zeros where nobody has.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("SharedSemaphore(kind, value, maxvalue, told, /, descriptor=-1, number=0)\n--\n\n"
                                  "_multiprocessing.SemLock without a name, which knows who holds it.")},
    {Py_tp_new, reinterpret_cast<void*>(make)},
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, nullptr},
};

PyType_Spec spec = {"manycore._tasks.SharedSemaphore", sizeof(SemaphoreObject), 0, Py_TPFLAGS_DEFAULT, slots};

}  // namespace

int add_shared_semaphore_type(PyObject* module) {
  const auto learn = [] { this_process = static_cast<int32_t>(getpid()); };
  learn();
  const Reference type(pthread_atfork(nullptr, nullptr, learn) == 0 ? PyType_FromSpec(&spec) : PyErr_NoMemory());
  return type ? PyModule_AddObjectRef(module, "SharedSemaphore", type.get()) : -1;
}

}  // namespace manycore::python::tasks
