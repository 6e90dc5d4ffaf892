// The Python type of mailboxes (worker/mailbox.h): what the queues of manycore.multiprocessing are made of.
#include <cmath>
#include <limits>
#include <memory>
#include <new>

#include "bindings/gil.h"
#include "bindings/tasks/interpreter.h"
#include "bindings/tasks/mailbox_messages.h"
#include "bindings/tasks/module.h"
#include "bindings/tasks/own_memory.h"
#include "bindings/tasks/pickling.h"
#include "manycore/errors.h"
#include "os/clock.h"

namespace manycore::python::tasks {
namespace {

struct MailboxObject {
  PyObject_HEAD worker::Mailbox* box;
};

PyObject* empty_error = nullptr;  // queue.Empty

worker::Mailbox& box_of(PyObject* self) { return *reinterpret_cast<MailboxObject*>(self)->box; }

// Another process may have the lock, and be slow.
void wait_outside(const std::function<void()>& wait) {
  PyThreadState* state = holds_gil() ? PyEval_SaveThread() : nullptr;
  wait();
  if (state != nullptr) take_gil(state);
}

template <class Call>
auto told(Call&& call) -> decltype(call()) {
  try {
    return call();
  } catch (const ResourceError& error) {
    PyErr_SetString(PyExc_OSError, error.what());
  } catch (const Error& error) {
    PyErr_SetString(PyExc_SystemError, error.what());
  }
  return {};
}

PyObject* make(PyTypeObject* type, PyObject* arguments, PyObject*) {
  long long most = 0;
  int descriptor = -1;
  int signal = -1;
  if (!PyArg_ParseTuple(arguments, "|Lii:Mailbox", &most, &descriptor, &signal) || load_pickling() < 0) return nullptr;
  Reference self(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  auto& place = reinterpret_cast<MailboxObject*>(self.get())->box;
  place = told(
      [&] { return new worker::Mailbox(descriptor >= 0 ? worker::Mailbox(descriptor, signal) : worker::Mailbox::make(most)); });
  if (place == nullptr) return nullptr;
  place->set_outside(wait_outside);
  return self.release();
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  delete reinterpret_cast<MailboxObject*>(self)->box;
  type->tp_free(self);
  Py_DECREF(type);
}

// False with an exception. None is for ever, which is -1.
bool read_deadline(PyObject* timeout, int64_t* deadline) {
  *deadline = -1;
  if (timeout == Py_None) return true;
  const double seconds = PyFloat_AsDouble(timeout);
  if (seconds == -1 && PyErr_Occurred() != nullptr) return false;
  if (std::isnan(seconds) || seconds > 1e9) return true;
  *deadline = os::now_nanoseconds() + static_cast<int64_t>(std::max(seconds, 0.0) * 1e9);
  return true;
}

// Until attempt() answers something else than 0, which is what it answers in the end where the time is up; -1 with an exception.
template <class Attempt>
int attempt_until(worker::Mailbox& box, worker::SharedEvent& event, PyObject* timeout, Attempt&& attempt) {
  const uint32_t first = event.now();
  int result = attempt();
  if (result != 0) return result;
  int64_t deadline;
  if (!read_deadline(timeout, &deadline)) return -1;
  for (uint32_t seen = first;;) {
    const int waited = wait_for(box, event, seen, deadline);
    if (waited < 0) return -1;
    seen = event.now();
    result = attempt();
    if (result != 0 || waited == 0) return result;
  }
}

PyObject* reserve(PyObject* self, PyObject* timeout) {
  worker::Mailbox& box = box_of(self);
  const int reserved = told([&] { return attempt_until(box, box.departures(), timeout, [&] { return box.reserve() ? 1 : 0; }); });
  return PyErr_Occurred() != nullptr ? nullptr : PyBool_FromLong(reserved);
}

PyObject* give_back(PyObject* self, PyObject*) {
  box_of(self).give_back();
  Py_RETURN_NONE;
}

PyObject* put(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  if (count != 2) {
    PyErr_SetString(PyExc_TypeError, "put: expected an object and whether to wait for room");
    return nullptr;
  }
  const int waits = PyObject_IsTrue(args[1]);
  if (waits < 0) return nullptr;
  const int sent = told([&] { return send_object(box_of(self), args[0], waits != 0); });
  return PyErr_Occurred() != nullptr ? nullptr : PyBool_FromLong(sent);
}

PyObject* get(PyObject* self, PyObject* timeout) {
  worker::Mailbox& box = box_of(self);
  Reference object;
  told([&] {
    return attempt_until(box, box.arrivals(), timeout, [&] {
      object = take_object(box);
      return object ? 1 : PyErr_Occurred() != nullptr ? -1 : 0;
    });
  });
  if (!object && PyErr_Occurred() == nullptr) PyErr_SetNone(empty_error);
  return object.release();
}

PyObject* pack(PyObject* self, PyObject* object) {
  return told([&] { return packed_object(box_of(self), object); }).release();
}

// Calls use(bytes) with what the object's buffer holds.
template <class Use>
PyObject* with_text(PyObject* text, Use&& use) {
  Py_buffer view;
  if (PyObject_GetBuffer(text, &view, PyBUF_SIMPLE) < 0) return nullptr;
  Reference result =
      told([&] { return use(worker::Bytes(static_cast<const std::byte*>(view.buf), static_cast<size_t>(view.len))); });
  PyBuffer_Release(&view);
  return result.release();
}

PyObject* unpack(PyObject* self, PyObject* text) {
  return with_text(text, [&](worker::Bytes bytes) { return unpacked_object(box_of(self), bytes); });
}

PyObject* discard(PyObject* self, PyObject* text) {
  return with_text(text, [&](worker::Bytes bytes) {
    discard_packed(box_of(self), bytes);
    return Reference::to(Py_None);
  });
}

PyObject* task_done(PyObject* self, PyObject*) { return PyBool_FromLong(box_of(self).done_with_one()); }

PyObject* wait_all_done(PyObject* self, PyObject* timeout) {
  worker::Mailbox& box = box_of(self);
  const int done =
      told([&] { return attempt_until(box, box.all_done(), timeout, [&] { return box.counts().unfinished == 0 ? 1 : 0; }); });
  return PyErr_Occurred() != nullptr ? nullptr : PyBool_FromLong(done);
}

PyObject* counts(PyObject* self, PyObject*) {
  const worker::MailboxCounts counts = box_of(self).counts();
  return Py_BuildValue("(LLLL)", static_cast<long long>(counts.messages), static_cast<long long>(counts.held),
                       static_cast<long long>(counts.unfinished), static_cast<long long>(counts.file_end));
}

PyObject* watch(PyObject* self, PyObject*) { return PyLong_FromLong(box_of(self).watch()); }
PyObject* descriptors(PyObject* self, void*) {
  return Py_BuildValue("(ii)", box_of(self).descriptor(), box_of(self).signal_descriptor());
}
PyObject* most(PyObject* self, void*) { return PyLong_FromLongLong(box_of(self).most()); }

PyObject* count_messages(PyObject*, PyObject*) { return PyLong_FromLongLong(messages_taken()); }

PyMethodDef methods[] = {
    {"reserve", reserve, METH_O,
     "reserve(timeout, /)\n--\n\nA place for a message, waiting so many seconds for one (None: for ever); False where there was "
     "none. Who has it puts a message or gives it back."},
    {"give_back", give_back, METH_NOARGS, "The place that reserve() answered is not needed."},
    {"put", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(put)), METH_FASTCALL,
     "put(object, waits, /)\n--\n\nSend the object as it is now. False where there is no room in the shared memory and it was "
     "not to "
     "wait for some."},
    {"get", get, METH_O,
     "get(timeout, /)\n--\n\nThe next object, waiting so many seconds for one (None: for ever). Raises queue.Empty."},
    {"pack", pack, METH_O,
     "An object as bytes that begin with b'mcp1', for a pipe, its large bytes in the shared memory; None where it has none or "
     "there "
     "is no room."},
    {"unpack", unpack, METH_O, "The object of such bytes, once."},
    {"discard", discard, METH_O, "Such bytes are not sent."},
    {"task_done", task_done, METH_NOARGS, "One message more is done; False where all are."},
    {"wait_all_done", wait_all_done, METH_O, "Until all messages are done."},
    {"watch", watch, METH_NOARGS, "A descriptor that is readable while there are messages."},
    {"counts", counts, METH_NOARGS,
     "(messages that are there, those and what waits in senders, those that are not done, bytes of shared memory)"},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef attributes[] = {
    {"descriptors", descriptors, nullptr, "Of the shared memory, and the one that watch() answers.", nullptr},
    {"most", most, nullptr, "How many messages may be held; 0: no limit.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_doc,
     const_cast<char*>(
         "Mailbox(most=0, descriptor=-1, watched=-1, /)\n--\n\nMessages between processes that share its memory; with a "
         "descriptor, one that was made elsewhere.")},
    {Py_tp_new, reinterpret_cast<void*>(make)},
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, nullptr},
};

PyType_Spec spec = {"manycore._tasks.Mailbox", sizeof(MailboxObject), 0, Py_TPFLAGS_DEFAULT, slots};

PyMethodDef functions[] = {
    {"messages_taken", count_messages, METH_NOARGS, "How many messages this process has taken from mailboxes."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

int add_mailbox_type(PyObject* module) {
  const Reference queue(PyImport_ImportModule("_queue"));
  if (queue) empty_error = PyObject_GetAttrString(queue.get(), "Empty");
  const Reference type(empty_error != nullptr ? PyType_FromSpec(&spec) : nullptr);
  if (!type || add_own_memory_type(module) < 0 || PyModule_AddFunctions(module, functions) < 0) return -1;
  return PyModule_AddObjectRef(module, "Mailbox", type.get());
}

}  // namespace manycore::python::tasks
