// Letting go of the GIL so that others know at once. A thread that asks for the GIL while another holds it sleeps until that one
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

}  // namespace manycore::python::tasks
