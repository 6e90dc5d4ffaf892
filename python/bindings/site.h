// A site is a line of the user's own code: a code object and an instruction offset, cheap to take; the line number is looked
// up only when something is reported. User code is everything outside the standard library, site-packages and this package,
// unless a rule set from Python says otherwise. Needs the GIL.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace manycore::python {

struct Site {
  PyCodeObject* code = nullptr;  // a new reference that the caller releases; null when no Python code runs
  int offset = 0;                // in bytes, as PyCode_Addr2Line takes it
};

// The innermost frame of user code; without one, the outermost frame.
Site current_site();

int line_of(const Site& site);

// Folders whose code is not the user's; called once, with the folders of the standard library and of this package.
void add_library_folder(const char* folder);
// A callable (file name -> is this the user's code?) that decides instead; null or None returns to the folders.
void set_user_rule(PyObject* rule);

}  // namespace manycore::python
