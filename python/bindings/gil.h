// Taking the GIL, also while the interpreter ends. CPython then ends every other thread inside that call by unwinding its stack,
// which C++ turns into std::terminate at the first destructor or catch block. Such threads stop here for good instead, as they
// do from CPython 3.14 on; the process ends without them.
#pragma once

#include <Python.h>
#include <unistd.h>

namespace manycore::python {

[[noreturn]] inline void stop_thread() {
  while (true) pause();
}

// Does this thread hold it? PyGILState_Check answers yes to everybody once there was another interpreter in the process.
inline bool holds_gil() {
  const PyThreadState* current = _PyThreadState_UncheckedGet();
  return current != nullptr && current == PyGILState_GetThisThreadState();
}

inline void take_gil(PyThreadState* state) {
  try {
    PyEval_RestoreThread(state);
  } catch (...) {
    stop_thread();
  }
}

// What runs Python code on a thread of ours, in which the interpreter's end may catch it. The destructors that unwinding would run
// need the GIL.
template <class Call>
auto or_stop_thread(Call&& call) {
  try {
    return call();
  } catch (...) {
    stop_thread();
  }
}

inline PyGILState_STATE ensure_gil() {
  try {
    return PyGILState_Ensure();
  } catch (...) {
    stop_thread();
  }
}

}  // namespace manycore::python
