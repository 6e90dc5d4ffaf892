// What a thread that waits for a Condition leaves in its list of waiters: notify() releases it, as the standard's releases a lock.
#include "bindings/locks/made_object.h"
#include "bindings/locks/module.h"
#include "bindings/tasks/reference.h"

namespace manycore::python::locks {
namespace {

struct TicketObject {
  MadeObject made;
  bool released;
  PyObject* condition;
};

TicketObject& ticket_of(PyObject* self) { return *reinterpret_cast<TicketObject*>(self); }

class ConditionWait final : public KnownWait {
 public:
  explicit ConditionWait(PyObject* ticket) : KnownWait(Kind::condition, ticket_of(ticket).condition), ticket_(ticket) {}
  manycore::sync::Wakers wakers() const override {
    manycore::sync::Wakers wakers;
    wakers.ready = ticket_of(ticket_).released;
    wakers.anyone = true;
    return wakers;
  }

 private:
  PyObject* ticket_;
};

PyObject* make_ticket(PyTypeObject* type, PyObject* const* args, size_t count, PyObject* keywords) {
  if (PyVectorcall_NARGS(count) != 1 || keywords != nullptr) {
    PyErr_SetString(PyExc_TypeError, "Ticket() takes the condition");
    return nullptr;
  }
  PyObject* self = type->tp_alloc(type, 0);
  if (self != nullptr) ticket_of(self).condition = Py_NewRef(args[0]);
  return self;
}

PyObject* make_by_call(PyObject* type, PyObject* const* args, size_t count, PyObject* keywords) {
  return make_ticket(reinterpret_cast<PyTypeObject*>(type), args, count, keywords);
}

PyObject* release(PyObject* self, PyObject*) {
  TicketObject& ticket = ticket_of(self);
  ticket.released = true;
  if (task::Waiter* waiter = ticket.made.line.pop()) waiter->done();
  Py_RETURN_NONE;
}

PyObject* wait(PyObject* self, PyObject* timeout) {
  int64_t deadline = -1;
  if (!tasks::deadline_of(timeout, &deadline)) return nullptr;
  TicketObject& ticket = ticket_of(self);
  if (ticket.released) Py_RETURN_TRUE;
  if (deadline >= 0 && deadline <= os::now_nanoseconds()) Py_RETURN_FALSE;
  task::Waiter waiter;
  ticket.made.line.add(waiter);
  int done;
  if (deadline >= 0) {
    done = tasks::sleep_on(waiter, deadline, leave_line, self);
  } else {
    ConditionWait known(self);
    done = tasks::sleep_on(waiter, deadline, leave_line, self, &known);
  }
  return done < 0 ? nullptr : PyBool_FromLong(done);
}

void dealloc(PyObject* self) {
  Py_CLEAR(ticket_of(self).condition);
  dealloc_made(self);
}

PyMethodDef methods[] = {
    {"release", release, METH_NOARGS, "Wake who waits, now or later."},
    {"wait", wait, METH_O, "Until it is released, at most so many seconds (None: without limit); whether it was."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

int add_ticket_type(PyObject* module) {
  PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("One wait for a Condition.")},
      {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
      {Py_tp_methods, methods},
      {0, nullptr},
  };
  PyTypeObject* type = make_made_type("manycore._tasks.Ticket", sizeof(TicketObject), slots);
  const tasks::Reference owned(reinterpret_cast<PyObject*>(type));
  if (type == nullptr) return -1;
  type->tp_vectorcall = make_by_call;
  return PyModule_AddObjectRef(module, "Ticket", owned.get());
}

}  // namespace manycore::python::locks
