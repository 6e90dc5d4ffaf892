// What fell back and where: every fallback is kept with its site, name and reason; native bytes are kept by line when a report
// asked for it. Totals live in the engine (trace/counters.h). Needs the GIL, except where hooks.h says otherwise.
#pragma once

#include <cstdint>

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace manycore::python {

extern PyObject* FallbackError;  // manycore.FallbackError: raised where fail_on_fallback is set

// The time now where a report wants to know how long fallbacks take, else 0.
int64_t fallback_begins();
// Record a call that NumPy did for us. 0, or -1 with FallbackError set when fail_on_fallback is on. `began`: see fallback_begins.
int record_fallback(const char* name, const char* reason, int64_t bytes, int64_t began = 0);
// 0, or -1 with FallbackError set when fail_on_fallback is on; for calls that know beforehand that they will fall back.
int refuse_fallback(const char* name, const char* reason);

}  // namespace manycore::python
