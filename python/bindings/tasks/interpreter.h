// Letting go of the GIL: so that others know at once, and to those who ask for it. A thread that asks for the GIL while another holds it sleeps until that one
// is made to give it up, up to 5 ms later; so a spinning thread with something to do looks here first, and asks when it is free.
#pragma once

#include <Python.h>

#include <atomic>
#include <cstdint>

#include "bindings/gil.h"

namespace manycore::python::tasks {

// Counts how often a thread of ours let go of the GIL.
inline std::atomic<uint32_t> interpreter_releases{0};

inline PyThreadState* release_interpreter() {
  PyThreadState* state = PyEval_SaveThread();
  interpreter_releases.fetch_add(1, std::memory_order_release);
  return state;
}

// Gives the GIL to a thread that has asked for it (after Python's switch interval of 5 ms) and comes back with it; else costs some
// 50 ns. Never PyEval_SaveThread and PyEval_RestoreThread in its place: these wake a waiting thread and take the GIL away again
// before that one runs, and it begins to count its 5 ms anew; done every 5 ms, it never gets to ask. GIL held. False with an
// exception that came meanwhile: of a signal's handler, on the main thread, or by PyThreadState_SetAsyncExc.
bool yield_interpreter();

// How long a worker may go on without looking whether others want the GIL: while it calls C functions only, the interpreter never
// looks.
class Turn {
 public:
  Turn() { begin(); }
  void begin();
  bool is_over() const;
  // Exceptions that come meanwhile meet no task of their own.
  void yield() {
    if (!yield_interpreter()) PyErr_WriteUnraisable(nullptr);
    begin();
  }
  // The same for the main thread, where Ctrl-C may come: false with its exception.
  bool yield_or_raise() {
    const bool quiet = yield_interpreter();
    begin();
    return quiet;
  }

 private:
  int64_t ends_ = 0;
};

// Once, at import. False with an error set.
bool load_yield();

}  // namespace manycore::python::tasks
