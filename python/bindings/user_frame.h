// Whose code is running? The import hook and the crossing ask whether a code object belongs to the user; the answer per file name
// comes from Python (manycore/run/user_code.py) and is kept. Needs the GIL.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace manycore::python {

// Is code in this file (a str object) the user's? False before set_user_files was called.
bool is_user_name(PyObject* filename);
// "<string>", "<stdin>", "<ipython-input-3>": no file. "<frozen importlib._bootstrap>" is the interpreter's.
bool has_no_file(PyObject* filename);

// Is this Python function the user's? False before set_user_files was called.
bool is_user_function(PyObject* function);

// Does the innermost Python frame run the user's code? Code without a file (exec, eval, -c) belongs to the module whose
// globals it runs in, else to its caller.
bool user_is_calling();

bool register_user_frame(PyObject* module);

}  // namespace manycore::python
