// The C half of Semaphore and BoundedSemaphore: a count and the threads that wait for it, all under the GIL.
#include <Python.h>
#include <structmember.h>

#include <cstddef>

#include "bindings/locks/made_object.h"
#include "bindings/locks/module.h"
#include "bindings/tasks/reference.h"
#include "os/clock.h"

namespace manycore::python::locks {
namespace {

struct SemaphoreObject {
  MadeObject made;
  Py_ssize_t value;
  Py_ssize_t most;   // of a BoundedSemaphore; negative: none
  Py_ssize_t woken;  // waiters that have been woken and have not looked yet
};

SemaphoreObject& semaphore_of(PyObject* self) { return *reinterpret_cast<SemaphoreObject*>(self); }

class SemaphoreWait final : public KnownWait {
 public:
  explicit SemaphoreWait(PyObject* semaphore) : KnownWait(Kind::semaphore, semaphore) {}
  manycore::sync::Wakers wakers() const override {
    manycore::sync::Wakers wakers;
    wakers.ready = semaphore_of(thing).value > 0;
    wakers.anyone = true;
    return wakers;
  }
};

int initialize(PyObject* self, PyObject* args, PyObject* keywords) {
  static const char* const names[] = {"value", nullptr};
  Py_ssize_t value = 1;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "|n:Semaphore", const_cast<char**>(names), &value)) return -1;
  if (value < 0) {
    PyErr_SetString(PyExc_ValueError, "semaphore initial value must be >= 0");
    return -1;
  }
  semaphore_of(self).value = value;
  semaphore_of(self).most = -1;
  return 0;
}

void wake(SemaphoreObject& semaphore) {
  while (semaphore.woken < semaphore.value) {
    task::Waiter* waiter = semaphore.made.line.pop();
    if (waiter == nullptr) return;
    ++semaphore.woken;
    waiter->done();
  }
}

int wait_for(PyObject* self, int64_t deadline, KnownWait* known) {
  SemaphoreObject& semaphore = semaphore_of(self);
  for (bool first = true;; first = false) {
    task::Waiter waiter;
    semaphore.made.line.add(waiter, first);
    const int done = tasks::sleep_on(waiter, deadline, leave_line, self, known);
    if (done == 0) return 0;
    if (waiter.is_done() && !(known != nullptr && known->condemned)) {
      --semaphore.woken;
      if (done == 1 && semaphore.value > 0) {
        --semaphore.value;
        return 1;
      }
      wake(semaphore);
    }
    if (done < 0) return -1;
  }
}

int acquire_until(PyObject* self, int64_t deadline) {
  SemaphoreObject& semaphore = semaphore_of(self);
  if (semaphore.value > 0) {
    --semaphore.value;
    return 1;
  }
  if (deadline >= 0) return deadline <= os::now_nanoseconds() ? 0 : wait_for(self, deadline, nullptr);
  SemaphoreWait known(self);
  return wait_for(self, deadline, &known);
}

PyObject* acquire(PyObject* self, PyObject* args, PyObject* keywords) {
  static const char* const names[] = {"blocking", "timeout", nullptr};
  int blocking = 1;
  PyObject* timeout = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "|pO:acquire", const_cast<char**>(names), &blocking, &timeout)) return nullptr;
  if (blocking == 0 && timeout != Py_None) {
    PyErr_SetString(PyExc_ValueError, "can't specify timeout for non-blocking acquire");
    return nullptr;
  }
  int64_t deadline = 0;
  if (blocking != 0 && !tasks::deadline_of(timeout, &deadline)) return nullptr;
  const int done = acquire_until(self, deadline);
  return done < 0 ? nullptr : PyBool_FromLong(done);
}

PyObject* enter(PyObject* self, PyObject*) {
  const int done = acquire_until(self, -1);
  return done < 0 ? nullptr : PyBool_FromLong(done);
}

bool give_back(PyObject* self, Py_ssize_t count) {
  SemaphoreObject& semaphore = semaphore_of(self);
  if (count < 1) {
    PyErr_SetString(PyExc_ValueError, "n must be one or more");
    return false;
  }
  if (semaphore.most >= 0 && semaphore.value + count > semaphore.most) {
    PyErr_SetString(PyExc_ValueError, "Semaphore released too many times");
    return false;
  }
  semaphore.value += count;
  if (!semaphore.made.line.empty()) wake(semaphore);
  return true;
}

PyObject* release(PyObject* self, PyObject* args, PyObject* keywords) {
  static const char* const names[] = {"n", nullptr};
  Py_ssize_t count = 1;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "|n:release", const_cast<char**>(names), &count)) return nullptr;
  return give_back(self, count) ? Py_NewRef(Py_None) : nullptr;
}

PyObject* leave(PyObject* self, PyObject* const*, Py_ssize_t) { return give_back(self, 1) ? Py_NewRef(Py_None) : nullptr; }

PyMethodDef methods[] = {
    {"acquire", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(acquire)), METH_VARARGS | METH_KEYWORDS,
     "acquire(blocking=True, timeout=None)\n--\n\nCount down by one; where the count is zero, wait until it is not, at most "
     "`timeout` "
     "seconds. Whether it was counted down."},
    {"release", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(release)), METH_VARARGS | METH_KEYWORDS,
     "release(n=1)\n--\n\nCount up by `n`, and wake as many of those that wait."},
    {"__enter__", enter, METH_NOARGS, "acquire()"},
    {"__exit__", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(leave)), METH_FASTCALL, "release()"},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef members[] = {
    {"_value", T_PYSSIZET, offsetof(SemaphoreObject, value), 0, "The count."},
    {"_most", T_PYSSIZET, offsetof(SemaphoreObject, most), 0, "What the count may not go above; -1: no such limit."},
    {nullptr, 0, 0, 0, nullptr},
};

PyGetSetDef attributes[] = {
    {"_made_at", get_made_at, nullptr, "(file, line, function) where it was made, or None.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

}  // namespace

int add_semaphore_type(PyObject* module) {
  PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("The C half of manycore.threading.Semaphore.")},
      {Py_tp_new, reinterpret_cast<void*>(make_made)},
      {Py_tp_init, reinterpret_cast<void*>(initialize)},
      {Py_tp_dealloc, reinterpret_cast<void*>(dealloc_made)},
      {Py_tp_methods, methods},
      {Py_tp_members, members},
      {Py_tp_getset, attributes},
      {0, nullptr},
  };
  const tasks::Reference type(
      reinterpret_cast<PyObject*>(make_made_type("manycore._tasks.SemaphoreBase", sizeof(SemaphoreObject), slots)));
  return type ? PyModule_AddObjectRef(module, "SemaphoreBase", type.get()) : -1;
}

}  // namespace manycore::python::locks
