// What the C halves of Event, Semaphore and the tickets of Condition have in common: a line of waiters, and where they were made. The
// classes of manycore.threading derive from them and from the standard's, so that isinstance() holds. With the GIL.
#pragma once

#include <Python.h>

#include "bindings/locks/known_wait.h"
#include "bindings/locks/lock_order.h"
#include "bindings/locks/waiter_line.h"
#include "bindings/tasks/future_wait.h"

namespace manycore::python::locks {

struct MadeObject {
  PyObject_HEAD WaiterLine line;
  MadeAt made;
};

inline MadeObject& made_of(PyObject* self) { return *reinterpret_cast<MadeObject*>(self); }

inline PyObject* make_made(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self != nullptr && keeps_places) made_of(self).made = current_place();
  return self;
}

inline PyObject* get_made_at(PyObject* self, void*) { return place_text(made_of(self).made); }

inline bool leave_line(void* self, task::Waiter& waiter) { return static_cast<MadeObject*>(self)->line.remove(waiter); }

template <class Slots>
PyTypeObject* make_made_type(const char* name, size_t size, Slots& slots) {
  PyType_Spec spec = {name, static_cast<int>(size), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

inline void dealloc_made(PyObject* self) {
  Py_XDECREF(made_of(self).made.code);
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

// One argument `timeout`, by position or by name, as a deadline: -1 without limit. False with an exception.
inline bool timeout_deadline(PyObject* const* args, Py_ssize_t count, PyObject* keywords, int64_t* deadline) {
  *deadline = -1;
  const Py_ssize_t named = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
  if (count + named == 0) return true;
  if (count + named > 1 || (named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, 0), "timeout") != 0)) {
    PyErr_SetString(PyExc_TypeError, "wait() takes one argument, 'timeout'");
    return false;
  }
  return tasks::deadline_of(args[0], deadline);
}

}  // namespace manycore::python::locks
