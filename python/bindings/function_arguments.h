// Reading the arguments of native functions: parse() sorts positional and keyword arguments into named places, the rest reads
// NumPy's usual kinds of argument. All answer false instead of raising: the caller then lets NumPy read the same arguments,
// which answers or raises its own exception. Needs the GIL.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>

#include "bindings/array_object.h"
#include "bindings/real_numpy.h"
#include "evaluate/assign.h"

namespace manycore::python {

// A call on its way to a native function, which returns null without an exception when it declines (NumPy has an answer) or refuses
// (NumPy raises). Refusing costs a tenth of throwing a UserError, which means the same.
struct FunctionCall {
  PyObject* const* args;
  Py_ssize_t nargs;
  PyObject* kwnames;
  const char* declined = nullptr;
  std::string refused;  // empty: it does not

  PyObject* decline(const char* reason) {
    declined = reason;
    return nullptr;
  }
  PyObject* refuse(std::string reason) {
    refused = std::move(reason);
    return nullptr;
  }
};

// values[k] is the argument called names[k], or null. False (declined) for too many, unknown or repeated arguments.
bool parse(FunctionCall& call, std::span<const char* const> names, PyObject** values);

bool casting_from(PyObject* object, Casting* casting);
// An int, or a tuple or list of ints.
bool shape_from(PyObject* object, Dims* shape);
// An int that fits; true and false are not taken for ints.
bool integer_from(PyObject* object, int64_t* value);
// None: no axes given, all of them.
bool axes_from(PyObject* object, std::optional<Dims>* axes);
// dtype=: a dtype of the engine's, or `fallback` where absent.
bool dtype_or(PyObject* object, DType fallback, DType* dtype);
// order=: one of C, F, A, K, or `otherwise` where absent.
bool copy_order_from(PyObject* object, evaluate::CopyOrder otherwise, evaluate::CopyOrder* order);
// Absent, None or numpy._NoValue.
inline bool not_given(PyObject* value) { return value == nullptr || value == Py_None || value == real_numpy().no_value; }

}  // namespace manycore::python
