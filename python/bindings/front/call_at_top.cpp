// Runs a program as the interpreter runs it: nothing of ours below it on the Python stack.
#include "bindings/front/front.h"
#include "bindings/guarded.h"
#include "evaluate/record.h"

#if PY_VERSION_HEX < 0x030D0000
#define MANYCORE_CURRENT_FRAME(tstate) (tstate)->cframe->current_frame
#else
#define MANYCORE_CURRENT_FRAME(tstate) (tstate)->current_frame
#endif

namespace manycore::python {
namespace {

// The program's recursion starts at zero too, as far as sys.setrecursionlimit counts.
class RecursionRoom {
 public:
  explicit RecursionRoom(PyThreadState* state) : state_(state), used_(limit() - remaining()) { remaining() += used_; }
  ~RecursionRoom() { remaining() -= used_; }

 private:
#if PY_VERSION_HEX < 0x030C0000
  int& limit() { return state_->recursion_limit; }
  int& remaining() { return state_->recursion_remaining; }
#else
  int& limit() { return state_->py_recursion_limit; }
  int& remaining() { return state_->py_recursion_remaining; }
#endif
  PyThreadState* state_;
  int used_;
};

// What the program recorded warns before its last message, as it would have at its line. The message matters more than an error in it.
void warn_of_recorded_work() {
  if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) return;
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  if (guarded([] { return evaluate::evaluate_everything(), 0; }) < 0) PyErr_Clear();
  PyErr_Restore(type, value, traceback);
}

// Calls with no Python frame below: what runs sees itself at the top of the stack, as a program started by the interpreter does
// (inspect.stack, traceback.print_stack, warnings' stacklevel). Greenlets begin in the same way. An exception is printed the
// interpreter's way, before frames of ours could join its traceback; None comes back then, else True. SystemExit passes.
PyObject* call_at_top(PyObject*, PyObject* args) {
  const Py_ssize_t count = PyTuple_GET_SIZE(args);
  if (count < 1 || (PyCode_Check(PyTuple_GET_ITEM(args, 0)) && (count != 2 || !PyDict_Check(PyTuple_GET_ITEM(args, 1))))) {
    PyErr_SetString(PyExc_TypeError, "call_at_top: expected call_at_top(callable, *args) or call_at_top(code, globals)");
    return nullptr;
  }
  PyObject* rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
  if (rest == nullptr) return nullptr;
  PyThreadState* state = PyThreadState_Get();
  auto* frame = MANYCORE_CURRENT_FRAME(state);
  MANYCORE_CURRENT_FRAME(state) = nullptr;
  const RecursionRoom room(state);
  PyObject* first = PyTuple_GET_ITEM(args, 0);
  PyObject* result = PyCode_Check(first) ? PyEval_EvalCode(first, PyTuple_GET_ITEM(args, 1), PyTuple_GET_ITEM(args, 1))
                                         : PyObject_Call(first, rest, nullptr);
  Py_DECREF(rest);
  if (result == nullptr) warn_of_recorded_work();
  const bool interrupted = result == nullptr && PyErr_ExceptionMatches(PyExc_KeyboardInterrupt);
  if (result == nullptr && !PyErr_ExceptionMatches(PyExc_SystemExit)) PyErr_PrintEx(1);
  MANYCORE_CURRENT_FRAME(state) = frame;
  if (result != nullptr) {
    Py_DECREF(result);
    Py_RETURN_TRUE;
  }
  if (PyErr_Occurred()) return nullptr;
  return Py_NewRef(interrupted ? Py_None : Py_False);
}

PyMethodDef methods[] = {
    {"call_at_top", call_at_top, METH_VARARGS,
     "Call, or run code, as the interpreter runs a program: True when it ended well, False after an exception was printed, None "
     "after an interrupt."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool register_call_at_top(PyObject* module) { return PyModule_AddFunctions(module, methods) == 0; }

}  // namespace manycore::python
