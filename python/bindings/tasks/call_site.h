// Where the user called what ends in a submit: the line that errors name. With the GIL.
#pragma once

#include <Python.h>

#include "bindings/tasks/reference.h"

namespace manycore::python::tasks {

struct CallSite {
  Reference code;  // null: not known
  int instruction = 0;
};

// The innermost frame of this thread that is none of this package's.
CallSite call_site();
// Of a tuple that call_site() answered (null or None: the above).
CallSite site_of(PyObject* described);

}  // namespace manycore::python::tasks
