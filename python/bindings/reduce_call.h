// Reductions for Python: NumPy's arguments to evaluate/reduce.h and back. Serves ufunc.reduce and .accumulate, numpy.sum and its
// kin. All answer null with `refusal` filled where NumPy must decide, or null with an exception.
#pragma once

#include "bindings/ufunc_call.h"
#include "evaluate/reduce.h"

namespace manycore::python {

// Python's arguments; null means absent. `axis` null or None reduces over all axes.
struct ReduceArguments {
  PyObject* array = nullptr;
  PyObject* axis = nullptr;
  PyObject* dtype = nullptr;
  PyObject* out = nullptr;
  PyObject* keepdims = nullptr;
  PyObject* initial = nullptr;
  PyObject* where = nullptr;
};

PyObject* reduce_native(evaluate::Reduction reduction, const ReduceArguments& arguments, Refusal* refusal);

// mean, and var or std with `removed` degrees of freedom.
PyObject* mean_native(const ReduceArguments& arguments, Refusal* refusal);
PyObject* variance_native(const ReduceArguments& arguments, double removed, bool take_square_root, Refusal* refusal);

// `axis` null or None: the flattened array, as numpy.cumsum; ufunc.accumulate passes its axis.
PyObject* accumulate_native(evaluate::Reduction reduction, const ReduceArguments& arguments, Refusal* refusal);

}  // namespace manycore::python
