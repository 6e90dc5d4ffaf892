#include "bindings/tasks/worker_errors.h"

#include <chrono>
#include <thread>

#include "bindings/gil.h"
#include "bindings/tasks/module.h"
#include "bindings/tasks/travelling_errors.h"

namespace manycore::python::tasks {
namespace {

PyObject* with_traceback = nullptr;  // makes of (exception, traceback) what is pickled; null: sent_form() does
PyObject* encoding_error = nullptr;  // makes of (why, value) an exception; null: unsent_result() does
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

Reference wrapped(PyObject* exception) {
  if (with_traceback == nullptr) return sent_form(exception);
  const Reference traceback(PyException_GetTraceback(exception));
  return Reference(PyObject_CallFunctionObjArgs(with_traceback, exception, traceback ? traceback.get() : Py_None, nullptr));
}

Reference unsendable(PyObject* why, PyObject* value, bool is_result) {
  if (encoding_error != nullptr) return Reference(PyObject_CallFunctionObjArgs(encoding_error, why, value, nullptr));
  return is_result ? unsent_result(why, value) : Reference::to(why);
}

bool raised_ends_worker() { return exits_end_worker && PyErr_ExceptionMatches(PyExc_Exception) == 0; }

bool is_interrupt(PyObject* exception) { return PyErr_GivenExceptionMatches(exception, PyExc_KeyboardInterrupt) != 0; }

void leave_time_to_cancel() {
  constexpr auto kMoment = std::chrono::milliseconds(200);
  PyThreadState* state = PyEval_SaveThread();
  std::this_thread::sleep_for(kMoment);
  take_gil(state);
}

int add_worker_errors(PyObject* module) { return PyModule_AddFunctions(module, functions); }

}  // namespace manycore::python::tasks
