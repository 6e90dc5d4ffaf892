#include "bindings/tasks/future_attributes.h"

#include "bindings/tasks/future_object.h"
#include "bindings/tasks/may_wait.h"
#include "bindings/tasks/reference.h"
#include "bindings/tasks/standard.h"

namespace manycore::python::tasks {
namespace {

using Field = PyObject* FutureFields::*;
constexpr Field kFields[] = {&FutureFields::result, &FutureFields::exception, &FutureFields::condition, &FutureFields::waiters,
                             &FutureFields::callbacks};

// What an attribute that nobody has touched begins as.
PyObject* first_value(Field field) {
  if (field == &FutureFields::condition) return PyObject_CallNoArgs(standard.new_condition);
  return PyList_New(0);
}

PyObject* get_field(PyObject* self, void* closure) {
  const Field field = kFields[reinterpret_cast<intptr_t>(closure)];
  FutureFields& fields = fields_of(self);
  const bool begins_as_none = field == &FutureFields::result || field == &FutureFields::exception;
  if (begins_as_none) look(self);
  if (fields.*field == nullptr && begins_as_none) Py_RETURN_NONE;
  if (!begins_as_none && fields.source != nullptr) fields.source->serve();
  if (fields.*field == nullptr) {
    Reference value(first_value(field));
    if (!value) return nullptr;
    // Making a condition runs Python, so another thread may have been first.
    if (fields.*field == nullptr) fields.*field = value.release();
  }
  return Py_NewRef(fields.*field);
}

int set_field(PyObject* self, PyObject* value, void* closure) {
  const Field field = kFields[reinterpret_cast<intptr_t>(closure)];
  const bool none_is_null = field == &FutureFields::result || field == &FutureFields::exception;
  PyObject* stored = value == Py_None && none_is_null ? nullptr : value;
  const Reference before(std::exchange(fields_of(self).*field, Py_XNewRef(stored)));
  return 0;
}

PyObject* get_state(PyObject* self, void*) {
  look(self);
  return Py_NewRef(standard.states[static_cast<int>(fields_of(self).state)]);
}

int set_state(PyObject* self, PyObject* value, void*) {
  for (int state = 0; value != nullptr && state < 5; ++state) {
    const int equal = PyObject_RichCompareBool(value, standard.states[state], Py_EQ);
    if (equal < 0) return -1;
    if (equal == 0) continue;
    FutureFields& fields = fields_of(self);
    fields.state = static_cast<FutureState>(state);
    fields.set_by_hand = true;
    Wakeups now;
    if (is_done(fields)) now.add(std::exchange(fields.sleepers, nullptr));
    return 0;
  }
  if (value != nullptr)
    PyErr_Format(PyExc_ValueError, "Future._state: expected a state of concurrent.futures, got %R", value);
  else
    PyErr_SetString(PyExc_AttributeError, "_state");
  return -1;
}

void* number(intptr_t value) { return reinterpret_cast<void*>(value); }

const char* const kDescriptions[] = {"pending", "running", "cancelled", "cancelled", "finished"};

Reference class_name(PyObject* object) {
  return Reference(PyObject_GetAttrString(reinterpret_cast<PyObject*>(Py_TYPE(object)), "__name__"));
}

}  // namespace

PyGetSetDef future_attributes[] = {
    {"_result", get_field, set_field, nullptr, number(0)},
    {"_exception", get_field, set_field, nullptr, number(1)},
    {"_condition", get_field, set_field, "Made when first asked for; from then on every change of the state takes it.",
     number(2)},
    {"_waiters", get_field, set_field, nullptr, number(3)},
    {"_done_callbacks", get_field, set_field, nullptr, number(4)},
    {"_state", get_state, set_state, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyObject* future_repr(PyObject* self) {
  const FutureFields& fields = fields_of(self);
  const char* state = kDescriptions[static_cast<int>(fields.state)];
  const Reference name = class_name(self);
  if (!name) return nullptr;
  if (fields.state != FutureState::kFinished) return PyUnicode_FromFormat("<%U at %p state=%s>", name.get(), self, state);
  PyObject* outcome = fields.exception != nullptr ? fields.exception : fields.result;
  const Reference outcome_name = class_name(outcome == nullptr ? Py_None : outcome);
  if (!outcome_name) return nullptr;
  return PyUnicode_FromFormat("<%U at %p state=%s %s %U>", name.get(), self, state,
                              fields.exception != nullptr ? "raised" : "returned", outcome_name.get());
}

PyObject* future_state_to_copy(PyObject* self, PyObject*) {
  Reference own(PyDict_New());
  if (!own) return nullptr;
  for (const PyGetSetDef* attribute = future_attributes; attribute->name != nullptr; ++attribute) {
    const Reference value(PyObject_GetAttrString(self, attribute->name));
    if (!value || PyDict_SetItemString(own.get(), attribute->name, value.get()) < 0) return nullptr;
  }
  const Reference dictionary(PyObject_GenericGetDict(self, nullptr));
  return dictionary ? PyTuple_Pack(2, dictionary.get(), own.get()) : nullptr;
}

int add_done_callback(PyObject* self, PyObject* callback) {
  const Reference callbacks(get_field(self, number(4)));
  if (!callbacks) return -1;
  Reference condition = Reference::to(fields_of(self).condition);
  if (condition && !Reference(PyObject_CallMethodNoArgs(condition.get(), names.acquire))) return -1;
  const bool done = is_done(fields_of(self));
  const int added = done ? 0 : PyList_Append(callbacks.get(), callback);
  if (condition && !Reference(PyObject_CallMethodNoArgs(condition.get(), names.release))) return -1;
  if (!done || added < 0) return added;
  const MayNotWait callback_runs;
  if (Reference(PyObject_CallOneArg(callback, self))) return 0;
  if (!PyErr_ExceptionMatches(PyExc_Exception)) return -1;
  log_failed_callback(self, take_raised().get());
  return 0;
}

}  // namespace manycore::python::tasks
