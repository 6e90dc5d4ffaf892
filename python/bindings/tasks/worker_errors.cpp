#include "bindings/tasks/worker_errors.h"

#include "bindings/tasks/module.h"

namespace manycore::python::tasks {
namespace {

PyObject* with_traceback = nullptr;  // makes of (exception, traceback) what is pickled
PyObject* encoding_error = nullptr;  // makes of (why, value) an exception; null: why itself
bool exits_end_worker = false;

PyObject* set_error_forms(PyObject*, PyObject* arguments) {
  PyObject *traceback, *encoding;
  if (!PyArg_ParseTuple(arguments, "OO:set_error_forms", &traceback, &encoding)) return nullptr;
  Py_XSETREF(with_traceback, Py_NewRef(traceback));
  Py_XSETREF(encoding_error, Py_NewRef(encoding));
  exits_end_worker = true;
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {
    {"set_error_forms", set_error_forms, METH_VARARGS,
     "set_error_forms(with_traceback, encoding_error, /)\n--\n\nIn a worker: send exceptions as multiprocessing.Pool's do, and "
     "let "
     "what is no Exception end the process."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

int load_error_forms() {
  if (with_traceback != nullptr) return 0;
  const Reference module(PyImport_ImportModule("concurrent.futures.process"));
  if (module) with_traceback = PyObject_GetAttrString(module.get(), "_ExceptionWithTraceback");
  return with_traceback != nullptr ? 0 : -1;
}

Reference wrapped(PyObject* exception) {
  const Reference traceback(PyException_GetTraceback(exception));
  return Reference(PyObject_CallFunctionObjArgs(with_traceback, exception, traceback ? traceback.get() : Py_None, nullptr));
}

Reference unsendable(PyObject* why, PyObject* value) {
  return encoding_error == nullptr ? Reference::to(why)
                                   : Reference(PyObject_CallFunctionObjArgs(encoding_error, why, value, nullptr));
}

bool raised_ends_worker() { return exits_end_worker && PyErr_ExceptionMatches(PyExc_Exception) == 0; }

int add_worker_errors(PyObject* module) { return PyModule_AddFunctions(module, functions); }

}  // namespace manycore::python::tasks
