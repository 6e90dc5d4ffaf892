#include "bindings/locks/lock_object.h"

#include <Python.h>
#include <structmember.h>

#include <cstddef>

#include "bindings/locks/module.h"
#include "bindings/tasks/future_wait.h"
#include "bindings/tasks/reference.h"

namespace manycore::python::locks {

using manycore::sync::Thread;
using manycore::sync::Wakers;
using tasks::Reference;

int64_t locks_made = 0;
int64_t locks_taken = 0;

namespace {

PyTypeObject* lock_type = nullptr;
PyTypeObject* reentrant_type = nullptr;

LockObject& lock_of(PyObject* self) { return *reinterpret_cast<LockObject*>(self); }

class LockWait final : public KnownWait {
 public:
  LockWait(PyObject* self, Kind kind) : KnownWait(kind, self) {}

  Wakers wakers() const override {
    const LockObject& lock = lock_of(thing);
    Wakers wakers;
    if (lock.owner == nullptr || lock.woken) {
      wakers.ready = true;
    } else {
      wakers.threads.push_back(lock.owner);
      wakers.exclusive = kind == Kind::rlock;
      wakers.anyone = kind == Kind::lock && lock.is_signal;
    }
    return wakers;
  }
};

bool unlink(void* lock, task::Waiter& waiter) { return static_cast<LockObject*>(lock)->line.remove(waiter); }

void wake_next(LockObject& lock) {
  if (lock.woken) return;
  task::Waiter* waiter = lock.line.pop();
  if (waiter == nullptr) return;
  lock.woken = true;
  waiter->done();
}

inline void take(LockObject& lock, Thread* thread) {
  lock.owner = thread;
  lock.count = 1;
  ++thread->held;
  if (watches_order) [[unlikely]] {
    ++locks_taken;
    note_taken(*thread, lock.name);
  }
}

inline void let_go(LockObject& lock) {
  Thread* owner = lock.owner;
  if (watches_order) [[unlikely]]
    note_released(*owner, lock.name);
  --owner->held;
  lock.owner = nullptr;
  lock.in_with = false;
  if (!lock.line.empty()) wake_next(lock);
}

// 1: it is ours now, 0: it was not at the deadline, -1 with an exception.
int wait_for(PyObject* self, Kind kind, int64_t deadline, Thread* thread, bool spared) {
  LockObject& lock = lock_of(self);
  LockWait known(self, kind);
  known.pauses = deadline >= 0;
  known.spared = spared;
  for (bool first = true;; first = false) {
    task::Waiter waiter;
    lock.line.add(waiter, first);
    const int done = tasks::sleep_on(waiter, deadline, unlink, &lock, &known);
    if (done == 0) return 0;
    if (waiter.is_done() && !known.condemned) {
      lock.woken = false;
      if (done == 1 && lock.owner == nullptr) {
        take(lock, thread);
        return 1;
      }
      if (lock.owner == nullptr) wake_next(lock);
    }
    if (done < 0) return -1;
  }
}

// With a deadline as of acquire_deadline().
inline int acquire(PyObject* self, Kind kind, int64_t deadline, bool spared = false) {
  LockObject& lock = lock_of(self);
  Thread* thread = this_thread();
  if (lock.owner == nullptr) [[likely]] {
    if (watches_order && deadline < 0) [[unlikely]] {
      note_wait(*thread, lock.name);
      // Telling of a circle runs Python code.
      if (lock.owner != nullptr) return wait_for(self, kind, deadline, thread, spared);
    }
    take(lock, thread);
    return 1;
  }
  if (kind == Kind::rlock && lock.owner == thread) {
    if (lock.count == UINT32_MAX) {
      PyErr_SetString(PyExc_OverflowError, "Internal lock count overflowed");
      return -1;
    }
    ++lock.count;
    return 1;
  }
  if (deadline == 0) return 0;
  if (watches_order && deadline < 0) note_wait(*thread, lock.name);
  if (lock.owner != nullptr) return wait_for(self, kind, deadline, thread, spared);
  take(lock, thread);
  return 1;
}

template <Kind kind>
PyObject* method_acquire(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  int64_t deadline = -1;
  if ((count > 0 || keywords != nullptr) && !acquire_deadline(args, count, keywords, &deadline)) return nullptr;
  const int done = acquire(self, kind, deadline);
  return done < 0 ? nullptr : PyBool_FromLong(done);
}

template <Kind kind>
PyObject* method_enter(PyObject* self, PyObject*) {
  if (acquire(self, kind, -1) < 0) return nullptr;
  lock_of(self).in_with = true;
  Py_RETURN_TRUE;
}

PyObject* release_lock(PyObject* self, PyObject*) {
  LockObject& lock = lock_of(self);
  if (lock.owner == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "release unlocked lock");
    return nullptr;
  }
  if (lock.owner != this_thread()) lock.is_signal = true;
  let_go(lock);
  Py_RETURN_NONE;
}

bool is_ours(const LockObject& lock) { return lock.owner != nullptr && lock.owner == this_thread(); }

PyObject* release_reentrant(PyObject* self, PyObject*) {
  LockObject& lock = lock_of(self);
  if (!is_ours(lock)) {
    PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
    return nullptr;
  }
  if (--lock.count == 0) let_go(lock);
  Py_RETURN_NONE;
}

template <PyObject* (*release)(PyObject*, PyObject*)>
PyObject* method_exit(PyObject* self, PyObject* const*, Py_ssize_t) {
  return release(self, nullptr);
}

PyObject* method_locked(PyObject* self, PyObject*) { return PyBool_FromLong(lock_of(self).owner != nullptr); }

PyObject* method_reinit(PyObject* self, PyObject*) {
  LockObject& lock = lock_of(self);
  if (lock.owner != nullptr) --lock.owner->held;
  lock.owner = nullptr;
  lock.line = {};
  lock.count = 0;
  lock.woken = lock.in_with = false;
  Py_RETURN_NONE;
}

PyObject* method_is_owned(PyObject* self, PyObject*) { return PyBool_FromLong(is_ours(lock_of(self))); }

PyObject* method_recursion_count(PyObject* self, PyObject*) {
  return PyLong_FromUnsignedLong(is_ours(lock_of(self)) ? lock_of(self).count : 0);
}

// For Condition.wait: lets go of all of it and answers what takes it back.
PyObject* method_release_save(PyObject* self, PyObject*) {
  LockObject& lock = lock_of(self);
  if (!is_ours(lock)) {
    PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
    return nullptr;
  }
  PyObject* saved = Py_BuildValue("(kKi)", static_cast<unsigned long>(lock.count),
                                  static_cast<unsigned long long>(lock.owner->name), lock.in_with ? 1 : 0);
  if (saved != nullptr) let_go(lock);
  return saved;
}

PyObject* method_acquire_restore(PyObject* self, PyObject* saved) {
  unsigned long count = 0;
  PyObject* owner = nullptr;
  int in_with = 0;
  if (!PyArg_ParseTuple(saved, "kO|i:_acquire_restore", &count, &owner, &in_with)) return nullptr;
  if (acquire(self, Kind::rlock, -1, true) < 0) return nullptr;
  lock_of(self).count = static_cast<uint32_t>(count);
  lock_of(self).in_with = in_with != 0;
  Py_RETURN_NONE;
}

PyObject* get_made(PyObject* self, void*) { return place_text(lock_of(self).made); }
PyObject* get_owner(PyObject* self, void*) {
  const LockObject& lock = lock_of(self);
  if (lock.owner == nullptr) Py_RETURN_NONE;
  return PyLong_FromUnsignedLongLong(lock.owner->name);
}
PyObject* get_in_with(PyObject* self, void*) { return PyBool_FromLong(lock_of(self).in_with); }

PyObject* repr_lock(PyObject* self) {
  return PyUnicode_FromFormat("<%s manycore.threading.Lock object at %p>", lock_of(self).owner != nullptr ? "locked" : "unlocked",
                              self);
}

PyObject* repr_reentrant(PyObject* self) {
  const LockObject& lock = lock_of(self);
  return PyUnicode_FromFormat("<%s manycore.threading.RLock object owner=%llu count=%lu at %p>",
                              lock.owner != nullptr ? "locked" : "unlocked",
                              static_cast<unsigned long long>(lock.owner != nullptr ? lock.owner->name : 0),
                              static_cast<unsigned long>(lock.owner != nullptr ? lock.count : 0), self);
}

PyObject* make(PyTypeObject* type) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  ++locks_made;
  LockObject& lock = lock_of(self);
  if (keeps_places) {
    lock.made = current_place();
    if (watches_order) lock.name = order_name(lock.made);
  }
  return self;
}

PyObject* make_by_call(PyObject* type, PyObject* const*, size_t count, PyObject* keywords) {
  if (PyVectorcall_NARGS(count) > 0 || (keywords != nullptr && PyTuple_GET_SIZE(keywords) > 0)) {
    PyErr_Format(PyExc_TypeError, "%s() takes no arguments",
                 reinterpret_cast<PyTypeObject*>(type) == lock_type ? "Lock" : "RLock");
    return nullptr;
  }
  return make(reinterpret_cast<PyTypeObject*>(type));
}

PyObject* make_new(PyTypeObject* type, PyObject*, PyObject*) { return make(type); }

void dealloc(PyObject* self) {
  LockObject& lock = lock_of(self);
  if (lock.weak != nullptr) PyObject_ClearWeakRefs(self);
  if (lock.owner != nullptr) {
    if (watches_order) note_released(*lock.owner, lock.name);
    --lock.owner->held;
  }
  if (watches_order) forget_name(lock.name);
  Py_XDECREF(lock.made.code);
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

template <auto method>
PyCFunction cast() {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(method));
}

constexpr const char* kAcquireText =
    "acquire(blocking=True, timeout=-1)\n--\n\nTake the lock, waiting for it at most `timeout` seconds (-1: without limit) "
    "unless "
    "`blocking` is false.\n\nTrue if it was taken. A wait without limit that can never end raises DeadlockError.";

PyMethodDef lock_methods[] = {
    {"acquire", cast<method_acquire<Kind::lock>>(), METH_FASTCALL | METH_KEYWORDS, kAcquireText},
    {"acquire_lock", cast<method_acquire<Kind::lock>>(), METH_FASTCALL | METH_KEYWORDS, "An obsolete name of acquire()."},
    {"release", release_lock, METH_NOARGS, "Let go of the lock, which any thread may."},
    {"release_lock", release_lock, METH_NOARGS, "An obsolete name of release()."},
    {"locked", method_locked, METH_NOARGS, "Whether somebody has the lock."},
    {"locked_lock", method_locked, METH_NOARGS, "An obsolete name of locked()."},
    {"__enter__", method_enter<Kind::lock>, METH_NOARGS, "Take the lock."},
    {"__exit__", cast<method_exit<release_lock>>(), METH_FASTCALL, "Let go of the lock."},
    {"_at_fork_reinit", method_reinit, METH_NOARGS, "Free and without waiters, for a child of fork."},
    {nullptr, nullptr, 0, nullptr},
};

PyMethodDef reentrant_methods[] = {
    {"acquire", cast<method_acquire<Kind::rlock>>(), METH_FASTCALL | METH_KEYWORDS, kAcquireText},
    {"release", release_reentrant, METH_NOARGS,
     "Let go of the lock once; it is free when that has been done for each acquire()."},
    {"__enter__", method_enter<Kind::rlock>, METH_NOARGS, "Take the lock."},
    {"__exit__", cast<method_exit<release_reentrant>>(), METH_FASTCALL, "Let go of the lock."},
    {"_is_owned", method_is_owned, METH_NOARGS, "Whether this thread has the lock."},
    {"_recursion_count", method_recursion_count, METH_NOARGS, "How often this thread has taken it."},
    {"_release_save", method_release_save, METH_NOARGS, nullptr},
    {"_acquire_restore", method_acquire_restore, METH_O, nullptr},
    {"_at_fork_reinit", method_reinit, METH_NOARGS, "Free and without waiters, for a child of fork."},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(LockObject, weak), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyGetSetDef attributes[] = {
    {"_made_at", get_made, nullptr, "(file, line, function) where it was made, or None.", nullptr},
    {"_owner", get_owner, nullptr, "The identifier of the thread that has it, or None.", nullptr},
    {"_in_with", get_in_with, nullptr, "Whether a with statement has it.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyTypeObject* make_type(const char* name, const char* text, PyMethodDef* methods, reprfunc repr) {
  PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>(text)},
      {Py_tp_new, reinterpret_cast<void*>(make_new)},
      {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
      {Py_tp_repr, reinterpret_cast<void*>(repr)},
      {Py_tp_methods, methods},
      {Py_tp_members, members},
      {Py_tp_getset, attributes},
      {0, nullptr},
  };
  PyType_Spec spec = {name, sizeof(LockObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, slots};
  auto* type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  if (type != nullptr) type->tp_vectorcall = make_by_call;
  return type;
}

PyObject* lock_counts(PyObject*, PyObject*) {
  return Py_BuildValue("LL", static_cast<long long>(locks_made), static_cast<long long>(locks_taken));
}

PyMethodDef functions[] = {
    {"lock_counts", lock_counts, METH_NOARGS, "Locks that were made, and how often one was taken while their order was watched."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

int add_lock_types(PyObject* module) {
  lock_type = make_type("manycore.threading.Lock", "A lock that knows which thread has it.", lock_methods, repr_lock);
  reentrant_type =
      make_type("manycore.threading.RLock", "A lock that its thread may take again.", reentrant_methods, repr_reentrant);
  if (lock_type == nullptr || reentrant_type == nullptr) return -1;
  if (PyModule_AddObjectRef(module, "Lock", reinterpret_cast<PyObject*>(lock_type)) < 0) return -1;
  if (PyModule_AddObjectRef(module, "RLock", reinterpret_cast<PyObject*>(reentrant_type)) < 0) return -1;
  return PyModule_AddFunctions(module, functions);
}

}  // namespace manycore::python::locks
