// Running one operation for Python: the engine first; where it refuses, NumPy's own exception or its answer.
#pragma once

#include <span>
#include <string>

#include "bindings/operation_inputs.h"
#include "bindings/ufunc_object.h"

namespace manycore::python {

// Why the native path did not answer. Empty: it did, or a Python exception is set.
struct Refusal {
  const char* declined = nullptr;  // never tried, for this reason
  std::string error;               // tried: the engine's message for the user
  bool refused() const { return declined != nullptr || !error.empty(); }
};

// The operation over operands; `outputs` are the objects to return (null entries: new arrays). Null with `refusal` filled, or
// null with a Python exception.
PyObject* run_operation(op::Op operation, const Inputs& inputs, evaluate::ElementwiseOptions options, PyObject* const* outputs,
                        const char* name, Refusal* refusal);

// ufunc(*inputs) for exactly its inputs and no keywords: what operators and plain calls share.
PyObject* call_plain(const UfuncObject& ufunc, PyObject* const* inputs);

}  // namespace manycore::python
