#include "bindings/tasks/interpreter.h"

#include "bindings/tasks/reference.h"
#include "os/clock.h"

namespace manycore::python::tasks {
namespace {

// A fifth of Python's switch interval.
constexpr int64_t kTurn = 1'000'000;

// Only the evaluation of Python code looks whether another thread asks for the GIL.
PyObject* nothing = nullptr;

}  // namespace

void Turn::begin() { ends_ = os::now_nanoseconds() + kTurn; }

bool Turn::is_over() const { return os::now_nanoseconds() > ends_; }

bool load_yield() {
  const Reference globals(PyDict_New());
  nothing = globals ? PyRun_String("lambda: None", Py_eval_input, globals.get(), globals.get()) : nullptr;
  return nothing != nullptr;
}

bool yield_interpreter() {
  try {
    return static_cast<bool>(Reference(PyObject_CallNoArgs(nothing)));
  } catch (...) {
    stop_thread();  // the interpreter ended while another thread had the GIL
  }
}

}  // namespace manycore::python::tasks
