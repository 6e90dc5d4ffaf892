// numpy.errstate as the recording needs it: which conditions may wait to be warned of. Needs the GIL.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace manycore::python {

// The conditions that warn, as FloatingPointStatus bits. False where one raises, calls, prints or logs, which must happen at once.
bool deferred_conditions(unsigned* warned);

// Does a filter turn RuntimeWarnings, or all warnings, into errors?
bool warnings_are_errors();

// The words of each condition in `status`: "divide by zero", ...
const char* condition_text(unsigned bit);
template <class F>
void for_each_condition(unsigned status, F&& body) {
  for (unsigned bit = 1; bit <= 8; bit <<= 1) {
    if (status & bit) body(condition_text(bit));
  }
}

}  // namespace manycore::python
