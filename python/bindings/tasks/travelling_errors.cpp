#include "bindings/tasks/travelling_errors.h"

#include "bindings/tasks/module.h"

namespace manycore::python::tasks {
namespace {

Reference function_of(const char* module, const char* name) {
  const Reference imported(PyImport_ImportModule(module));
  return imported ? Reference(PyObject_GetAttrString(imported.get(), name)) : Reference();
}

constexpr const char* kRaised = "manycore.futures.raised";
constexpr const char* kSalvage = "manycore.futures.salvage";

// Where even the explaining fails, the error itself says more than why it cannot be explained.
Reference or_itself(Reference explained, PyObject* exception) {
  PyErr_Clear();
  return explained ? std::move(explained) : Reference::to(exception);
}

PyObject* object_to_bytes(PyObject*, PyObject* object) {
  Pickled pickled;
  if (!to_bytes(object, nullptr, &pickled)) return nullptr;
  return PyBytes_FromStringAndSize(pickled.payload.data(), static_cast<Py_ssize_t>(pickled.payload.size()));
}

PyMethodDef functions[] = {
    {"to_bytes", object_to_bytes, METH_O, "The object as it would travel by itself."},
    {nullptr, nullptr, 0, nullptr},
};

PyMethodDef to_bytes_method = {"to_bytes", object_to_bytes, METH_O, nullptr};

}  // namespace

Reference sent_form(PyObject* exception) {
  const Reference sent = function_of(kRaised, "Sent");
  const Reference to_bytes(sent ? PyCFunction_New(&to_bytes_method, nullptr) : nullptr);
  const Reference traceback(PyException_GetTraceback(exception));
  if (!to_bytes) return {};
  return Reference(
      PyObject_CallFunctionObjArgs(sent.get(), exception, traceback ? traceback.get() : Py_None, to_bytes.get(), nullptr));
}

Reference unsent_result(PyObject* exception, PyObject* result) {
  const Reference function = function_of(kRaised, "unsent");
  return or_itself(Reference(function ? PyObject_CallFunctionObjArgs(function.get(), exception, result, nullptr) : nullptr),
                   exception);
}

Reference blamed(PyObject* exception, PyObject* check, PyObject* function, PyObject* arguments, PyObject* keywords) {
  const Reference blame = function_of(kRaised, "blamed");
  if (!blame) return or_itself({}, exception);
  return or_itself(Reference(PyObject_CallFunction(blame.get(), "OOOOOs", exception, check, function, arguments,
                                                   keywords != nullptr ? keywords : Py_None, "")),
                   exception);
}

Rescue rescue_arguments(bool function_inside, Reference* broken) {
  return [function_inside, broken](PyObject* payload, PyObject* buffers) {
    const Reference error = take_raised();
    const Reference function = function_of(kSalvage, "arguments");
    const Reference saved(function ? PyObject_CallFunction(function.get(), "OOOO", error.get(), payload, buffers,
                                                           function_inside ? Py_True : Py_False)
                                   : nullptr);
    PyObject *value, *errors;
    if (!saved || !PyArg_ParseTuple(saved.get(), "OO", &value, &errors)) return Reference();
    *broken = Reference::to(errors);
    return Reference::to(value);
  };
}

Rescue rescue_results() {
  return [](PyObject* payload, PyObject* buffers) {
    const Reference error = take_raised();
    const Reference function = function_of(kSalvage, "results");
    return Reference(function ? PyObject_CallFunctionObjArgs(function.get(), error.get(), payload, buffers, nullptr) : nullptr);
  };
}

Rescue explain_result() {
  return [](PyObject* payload, PyObject* buffers) {
    const Reference error = take_raised();
    const Reference function = function_of(kSalvage, "result");
    Reference explained(function ? PyObject_CallFunctionObjArgs(function.get(), error.get(), payload, buffers, nullptr)
                                 : nullptr);
    raise(or_itself(std::move(explained), error.get()).get());
    return Reference();
  };
}

int add_travelling_errors(PyObject* module) { return PyModule_AddFunctions(module, functions); }

}  // namespace manycore::python::tasks
