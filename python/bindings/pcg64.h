// The state of a numpy.random.PCG64, for draws that jump ahead. Needs the GIL; the state may be used while its lock is held.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <numpy/random/bitgen.h>

#include "kernel/pcg64.h"

namespace manycore::python {

// Compares the expected layout with what a new generator says of itself. Once, when the installed NumPy is the tested release.
void find_pcg64();

// Null for other bit generators, and where the layout is not the expected one.
kernel::Pcg64* pcg64_behind(PyObject* bits, const bitgen_t* stream);

}  // namespace manycore::python
