// manycore.numpy's functions: one object per function of NumPy, called through a native implementation (C++), through a Python
// one, or straight through NumPy with the fallback counted. Documentation, signature and pickles are NumPy's own. Immortal.
#pragma once

#include <string>

#include "bindings/array_object.h"
#include "bindings/function_arguments.h"
#include "bindings/stand_in.h"

namespace manycore::python {

// A native implementation: a new reference, or null with an exception, or null after call.decline(). A UserError of the engine
// that escapes makes NumPy raise its own exception.
using NativeFunction = PyObject* (*)(FunctionCall& call);

struct FunctionObject : StandIn {
  NativeFunction native;     // or null
  PyObject* implementation;  // a Python callable, or null
  PyObject* make;            // makes the implementation when it is first called, or null
  PyObject* finish;          // a Python callable for what NumPy returned, or null
  std::string name;          // "numpy.sum"
  std::string reason;        // why it falls back when neither is there
  bool is_counted;           // false: it asks about arrays, prints, reads or saves them, and computes no elements
};

extern PyTypeObject FunctionType;
inline bool is_function(PyObject* object) { return Py_TYPE(object) == &FunctionType; }

// Ours for a function of NumPy, the same object every time; borrowed.
FunctionObject* function_for(PyObject* real);
// Ours if it was asked for before; borrowed, or null without an exception.
FunctionObject* known_function(PyObject* real);
// Ours if it exists and is more than a fallback; borrowed, or null without an exception.
FunctionObject* implemented_function(PyObject* real);

// The native functions of a file: NumPy's name with its module ("numpy.linalg.norm") and the implementation.
struct NativeFunctionRow {
  const char* name;
  NativeFunction function;
};
extern const NativeFunctionRow kCreationFunctions[];
extern const NativeFunctionRow kConversionFunctions[];
extern const NativeFunctionRow kReductionFunctions[];
extern const NativeFunctionRow kShapeFunctions[];
extern const NativeFunctionRow kSelectionFunctions[];
extern const NativeFunctionRow kProductFunctions[];
extern const NativeFunctionRow kLinalgFunctions[];

}  // namespace manycore::python
