// Where the program called us: the innermost frame that is none of the package's own. With the GIL.
#pragma once

#include <Python.h>

#include "bindings/tasks/reference.h"

namespace manycore::python::tasks {

struct CallSite {
  Reference code;  // null: no frame but ours
  int instruction = 0;
};

CallSite call_site();

}  // namespace manycore::python::tasks
