// The C half of Event: a flag and the threads that wait for it, all under the GIL, so that it needs no lock of its own.
#include <Python.h>
#include <structmember.h>

#include <cstddef>

#include "bindings/locks/made_object.h"
#include "bindings/locks/module.h"
#include "bindings/tasks/future_wakers.h"
#include "bindings/tasks/reference.h"
#include "os/clock.h"

namespace manycore::python::locks {
namespace {

struct EventObject {
  MadeObject made;
  bool flag;
  PyObject* futures;  // whose completion sets it, where that is what it is for; else null
};

EventObject& event_of(PyObject* self) { return *reinterpret_cast<EventObject*>(self); }

class EventWait final : public KnownWait {
 public:
  explicit EventWait(PyObject* event)
      : KnownWait(event_of(event).futures != nullptr ? Kind::future : Kind::event,
                  event_of(event).futures != nullptr ? event_of(event).futures : event),
        event_(event) {}

  manycore::sync::Wakers wakers() const override {
    manycore::sync::Wakers wakers;
    const EventObject& event = event_of(event_);
    if (event.flag) {
      wakers.ready = true;
    } else if (event.futures != nullptr) {
      return tasks::wakers_of_any(event.futures);
    } else {
      wakers.anyone = true;
    }
    return wakers;
  }

 private:
  PyObject* event_;
};

int initialize(PyObject* self, PyObject* args, PyObject* keywords) {
  if (PyTuple_GET_SIZE(args) > 0 || (keywords != nullptr && PyDict_GET_SIZE(keywords) > 0)) {
    PyErr_Format(PyExc_TypeError, "%s.__init__() takes 1 positional argument but %zd were given", Py_TYPE(self)->tp_name,
                 1 + PyTuple_GET_SIZE(args) + (keywords != nullptr ? PyDict_GET_SIZE(keywords) : 0));
    return -1;
  }
  event_of(self).flag = false;
  return 0;
}

PyObject* is_set(PyObject* self, PyObject*) { return PyBool_FromLong(event_of(self).flag); }

PyObject* set(PyObject* self, PyObject*) {
  EventObject& event = event_of(self);
  event.flag = true;
  while (task::Waiter* waiter = event.made.line.pop()) waiter->done();
  Py_RETURN_NONE;
}

PyObject* clear(PyObject* self, PyObject*) {
  event_of(self).flag = false;
  Py_RETURN_NONE;
}

// As the standard's: true where it was set in time, though it may have been cleared since.
PyObject* wait(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  int64_t deadline = -1;
  if (!timeout_deadline(args, count, keywords, &deadline)) return nullptr;
  EventObject& event = event_of(self);
  if (event.flag) Py_RETURN_TRUE;
  task::Waiter waiter;
  event.made.line.add(waiter);
  int done;
  if (deadline >= 0) {
    done = tasks::sleep_on(waiter, deadline, leave_line, self);
  } else {
    EventWait known(self);
    done = tasks::sleep_on(waiter, deadline, leave_line, self, &known);
  }
  return done < 0 ? nullptr : PyBool_FromLong(done);
}

PyObject* at_fork_reinit(PyObject* self, PyObject*) {
  event_of(self).made.line = {};
  Py_RETURN_NONE;
}

void dealloc(PyObject* self) {
  Py_CLEAR(event_of(self).futures);
  dealloc_made(self);
}

template <auto method>
PyCFunction cast() {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(method));
}

PyMethodDef methods[] = {
    {"is_set", is_set, METH_NOARGS, "Whether it is set."},
    {"set", set, METH_NOARGS, "Set it, and wake who waits."},
    {"clear", clear, METH_NOARGS, "Unset it."},
    {"wait", cast<wait>(), METH_FASTCALL | METH_KEYWORDS,
     "wait(timeout=None)\n--\n\nUntil it is set, at most `timeout` seconds; whether it was."},
    {"_at_fork_reinit", at_fork_reinit, METH_NOARGS, "Without waiters, for a child of fork."},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef members[] = {
    {"_flag", T_BOOL, offsetof(EventObject, flag), 0, "Whether it is set."},
    {"_futures", T_OBJECT, offsetof(EventObject, futures), 0, "The futures whose completion sets it."},
    {nullptr, 0, 0, 0, nullptr},
};

PyGetSetDef attributes[] = {
    {"_made_at", get_made_at, nullptr, "(file, line, function) where it was made, or None.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

}  // namespace

int add_event_type(PyObject* module) {
  PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("The C half of manycore.threading.Event.")},
      {Py_tp_new, reinterpret_cast<void*>(make_made)},
      {Py_tp_init, reinterpret_cast<void*>(initialize)},
      {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
      {Py_tp_methods, methods},
      {Py_tp_members, members},
      {Py_tp_getset, attributes},
      {0, nullptr},
  };
  const tasks::Reference type(
      reinterpret_cast<PyObject*>(make_made_type("manycore._tasks.EventBase", sizeof(EventObject), slots)));
  return type ? PyModule_AddObjectRef(module, "EventBase", type.get()) : -1;
}

}  // namespace manycore::python::locks
