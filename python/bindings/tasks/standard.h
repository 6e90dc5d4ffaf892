// What the standard library's concurrent.futures has that we use: looked up once at import, kept for good.
#pragma once

#include <Python.h>

namespace manycore::python::tasks {

struct Standard {
  PyObject* future = nullptr;  // the class
  PyObject* cancelled_error = nullptr;
  PyObject* invalid_state_error = nullptr;
  PyObject* logger = nullptr;
  PyObject* states[5] = {};           // the words for FutureState, in its order
  PyObject* new_condition = nullptr;  // threading.Condition
};

extern Standard standard;

// Names that are looked up often.
struct Names {
  PyObject* acquire = nullptr;
  PyObject* release = nullptr;
  PyObject* notify_all = nullptr;
  PyObject* add_result = nullptr;
  PyObject* add_exception = nullptr;
  PyObject* add_cancelled = nullptr;
};

extern Names names;

// 0, or -1 with an exception.
int load_standard();

}  // namespace manycore::python::tasks
