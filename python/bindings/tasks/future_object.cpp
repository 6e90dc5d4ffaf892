#include "bindings/tasks/future_object.h"

#include <structmember.h>

#include <cstddef>

#include "bindings/tasks/future_attributes.h"
#include "bindings/tasks/future_wait.h"
#include "bindings/tasks/module.h"
#include "bindings/tasks/reference.h"
#include "bindings/tasks/standard.h"

namespace manycore::python::tasks {

Py_ssize_t future_fields_offset = 0;
PyTypeObject* future_type = nullptr;

namespace {

PyObject* make(PyTypeObject* type, PyObject*, PyObject*) { return type->tp_alloc(type, 0); }

int initialize(PyObject* self, PyObject* arguments, PyObject* keywords) {
  if (PyTuple_GET_SIZE(arguments) > 0 || (keywords != nullptr && PyDict_GET_SIZE(keywords) > 0)) {
    PyErr_Format(PyExc_TypeError, "Future.__init__() takes 1 positional argument but %zd were given",
                 1 + PyTuple_GET_SIZE(arguments) + (keywords != nullptr ? PyDict_GET_SIZE(keywords) : 0));
    return -1;
  }
  FutureFields& fields = fields_of(self);
  if (fields.sleepers == nullptr) {
    fields.state = FutureState::kPending;
    fields.set_by_hand = false;
    for (PyObject** place : {&fields.result, &fields.exception, &fields.condition, &fields.waiters, &fields.callbacks}) {
      Py_CLEAR(*place);
    }
  }
  return 0;
}

PyObject* answer(int truth) { return truth < 0 ? nullptr : PyBool_FromLong(truth); }

PyObject* method_cancel(PyObject* self, PyObject*) { return answer(cancel(self)); }
PyObject* method_set_running(PyObject* self, PyObject*) { return answer(set_running_or_notify_cancel(self)); }
PyObject* method_done(PyObject* self, PyObject*) {
  look(self);
  return PyBool_FromLong(is_done(fields_of(self)));
}
PyObject* method_running(PyObject* self, PyObject*) {
  look(self);
  return PyBool_FromLong(fields_of(self).state == FutureState::kRunning);
}
PyObject* method_cancelled(PyObject* self, PyObject*) {
  look(self);
  return PyBool_FromLong(is_done(fields_of(self)) && fields_of(self).state != FutureState::kFinished);
}

// One argument, by position or by `name`.
bool one_argument(const char* method, const char* name, PyObject* const* args, Py_ssize_t count, PyObject* keywords,
                  PyObject** value) {
  const Py_ssize_t named = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
  if (count + named > 1) {
    PyErr_Format(PyExc_TypeError, "Future.%s() takes at most 2 positional arguments but %zd were given", method,
                 count + named + 1);
    return false;
  }
  if (named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, 0), name) != 0) {
    PyErr_Format(PyExc_TypeError, "Future.%s() got an unexpected keyword argument '%U'", method, PyTuple_GET_ITEM(keywords, 0));
    return false;
  }
  if (count + named == 1) *value = args[0];
  return true;
}

bool required_argument(const char* method, const char* name, PyObject* const* args, Py_ssize_t count, PyObject* keywords,
                       PyObject** value) {
  if (!one_argument(method, name, args, count, keywords, value)) return false;
  if (*value != nullptr) return true;
  PyErr_Format(PyExc_TypeError, "Future.%s() missing 1 required positional argument: '%s'", method, name);
  return false;
}

PyObject* method_set_result(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  PyObject* value = nullptr;
  if (!required_argument("set_result", "result", args, count, keywords, &value) || set_result(self, value) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* method_set_exception(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  PyObject* value = nullptr;
  if (!required_argument("set_exception", "exception", args, count, keywords, &value) || set_exception(self, value) < 0) {
    return nullptr;
  }
  Py_RETURN_NONE;
}

// Waits; true when the future is finished, else CancelledError, TimeoutError or what a signal handler raised.
bool await_finished(PyObject* self, PyObject* timeout) {
  FutureFields& fields = fields_of(self);
  if (fields.state != FutureState::kFinished || fields.set_by_hand) {
    int64_t deadline = -1;
    if (!deadline_of(timeout, &deadline)) return false;
    const int done = wait_until_done(self, deadline);
    if (done == 0) PyErr_SetNone(PyExc_TimeoutError);
    if (done <= 0) return false;
  }
  if (fields.state == FutureState::kFinished) return true;
  PyErr_SetNone(standard.cancelled_error);
  return false;
}

PyObject* or_none(PyObject* value) { return Py_NewRef(value == nullptr ? Py_None : value); }

PyObject* method_result(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  PyObject* timeout = nullptr;
  if (!one_argument("result", "timeout", args, count, keywords, &timeout) || !await_finished(self, timeout)) return nullptr;
  const FutureFields& fields = fields_of(self);
  if (fields.exception == nullptr) return or_none(fields.result);
  raise(fields.exception);
  return nullptr;
}

PyObject* method_exception(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  PyObject* timeout = nullptr;
  if (!one_argument("exception", "timeout", args, count, keywords, &timeout) || !await_finished(self, timeout)) return nullptr;
  return or_none(fields_of(self).exception);
}

PyObject* method_add_done_callback(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  PyObject* callback = nullptr;
  if (!required_argument("add_done_callback", "fn", args, count, keywords, &callback)) return nullptr;
  return add_done_callback(self, callback) < 0 ? nullptr : Py_NewRef(Py_None);
}

PyObject* await_on_loop(PyObject* self) {
#if PY_VERSION_HEX < 0x030D0000
  const Reference asyncio(PyImport_ImportModule("manycore.futures.awaiting"));
#else
  const Reference asyncio(PyImport_ImportModule("asyncio"));
#endif
  if (!asyncio) return nullptr;
  const Reference wrapped(PyObject_CallMethod(asyncio.get(), "wrap_future", "O", self));
  return wrapped ? PyObject_CallMethod(wrapped.get(), "__await__", nullptr) : nullptr;
}

template <auto method>
PyCFunction cast() {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(method));
}

PyMethodDef methods[] = {
    {"cancel", method_cancel, METH_NOARGS,
     "Cancel the task if it has not begun. True if it is cancelled now, False if it runs or is finished."},
    {"cancelled", method_cancelled, METH_NOARGS, "Whether the task was cancelled."},
    {"running", method_running, METH_NOARGS, "Whether the task runs now."},
    {"done", method_done, METH_NOARGS, "Whether the task was cancelled or is finished."},
    {"result", cast<method_result>(), METH_FASTCALL | METH_KEYWORDS,
     "result(timeout=None)\n--\n\nWait at most `timeout` seconds and answer what the task returned, or raise what it raised.\n\n"
     "CancelledError where it was cancelled, TimeoutError where it is not done in time."},
    {"exception", cast<method_exception>(), METH_FASTCALL | METH_KEYWORDS,
     "exception(timeout=None)\n--\n\nWait as result() does and answer what the task raised, or None."},
    {"add_done_callback", cast<method_add_done_callback>(), METH_FASTCALL | METH_KEYWORDS,
     "add_done_callback(fn)\n--\n\nCall fn(future) once the task is done, in the order of adding; at once where it is done "
     "already."},
    {"set_running_or_notify_cancel", method_set_running, METH_NOARGS,
     "For executors: mark the task as running. False where it was cancelled, and must not run."},
    {"set_result", cast<method_set_result>(), METH_FASTCALL | METH_KEYWORDS,
     "set_result(result)\n--\n\nFor executors: the task returned `result`."},
    {"set_exception", cast<method_set_exception>(), METH_FASTCALL | METH_KEYWORDS,
     "set_exception(exception)\n--\n\nFor executors: the task raised `exception`."},
    {"__getstate__", future_state_to_copy, METH_NOARGS, "What copy() carries over; the condition in it cannot be pickled."},
    {nullptr, nullptr, 0, nullptr},
};

// Only here so that CPython's own traverse, clear and dealloc of the type see these references; the names are taken off again.
PyMemberDef members[] = {
    {"_member_result", T_OBJECT_EX, offsetof(FutureFields, result), 0, nullptr},
    {"_member_exception", T_OBJECT_EX, offsetof(FutureFields, exception), 0, nullptr},
    {"_member_condition", T_OBJECT_EX, offsetof(FutureFields, condition), 0, nullptr},
    {"_member_waiters", T_OBJECT_EX, offsetof(FutureFields, waiters), 0, nullptr},
    {"_member_callbacks", T_OBJECT_EX, offsetof(FutureFields, callbacks), 0, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

int hide_members() {
  for (const PyMemberDef* member = members; member->name != nullptr; ++member) {
    if (PyDict_DelItemString(future_type->tp_dict, member->name) < 0) return -1;
  }
  PyType_Modified(future_type);
  return 0;
}

}  // namespace

PyObject* new_future() { return future_type->tp_alloc(future_type, 0); }

int add_future_type(PyObject* module) {
  auto* base = reinterpret_cast<PyTypeObject*>(standard.future);
  future_fields_offset = base->tp_basicsize;
  for (PyMemberDef* member = members; member->name != nullptr; ++member) member->offset += future_fields_offset;
  PyType_Slot slots[] = {
      {Py_tp_doc,
       const_cast<char*>("The result of a task, now or later: a concurrent.futures.Future that costs a tenth of it and "
                         "can be awaited.")},
      {Py_tp_new, reinterpret_cast<void*>(make)},
      {Py_tp_init, reinterpret_cast<void*>(initialize)},
      {Py_tp_repr, reinterpret_cast<void*>(future_repr)},
      {Py_am_await, reinterpret_cast<void*>(await_on_loop)},
      {Py_tp_methods, methods},
      {Py_tp_members, members},
      {Py_tp_getset, future_attributes},
      {0, nullptr},
  };
  PyType_Spec spec = {"manycore.futures.Future", static_cast<int>(future_fields_offset + sizeof(FutureFields)), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  const Reference bases(PyTuple_Pack(1, standard.future));
  if (!bases) return -1;
  future_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpecWithBases(&spec, bases.get()));
  if (future_type == nullptr || hide_members() < 0) return -1;
  return PyModule_AddObjectRef(module, "Future", reinterpret_cast<PyObject*>(future_type));
}

}  // namespace manycore::python::tasks
