// The one way back to NumPy. Every operation that is not native comes through call_fallback, so that it is counted and seen.
#include "bindings/fallback.h"

#include <vector>

#include "bindings/numpy_memory.h"
#include "bindings/real_values.h"
#include "bindings/trace.h"

namespace manycore::python {
namespace {

PyObject* call_with_real(RealValues& values, PyObject* function, PyObject* const* args, Py_ssize_t count, Py_ssize_t positional,
                         PyObject* kwnames) {
  PyObject* small[9];
  std::vector<PyObject*> large;
  PyObject** real = small;
  if (count > 8) {
    large.resize(static_cast<size_t>(count) + 1);
    real = large.data();
  }
  real[0] = nullptr;  // room that PY_VECTORCALL_ARGUMENTS_OFFSET promises
  Py_ssize_t done = 0;
  while (done < count && (real[done + 1] = values.to_real(args[done])) != nullptr) ++done;
  PyObject* result = nullptr;
  if (done == count) {
    result = PyObject_Vectorcall(function, real + 1, static_cast<size_t>(positional) | PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames);
    if (result == nullptr) explain_memory_error();
  }
  for (Py_ssize_t i = 0; i < done; ++i) Py_DECREF(real[i + 1]);
  return values.from_real(result);
}

bool has_array(PyObject* const* args, Py_ssize_t count) {
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (is_array(args[i])) return true;
  }
  return false;
}

}  // namespace

PyObject* call_fallback(PyObject* function, PyObject* const* args, size_t nargsf, PyObject* kwnames, const char* name,
                        const char* reason) {
  const Py_ssize_t positional = PyVectorcall_NARGS(nargsf);
  const Py_ssize_t count = positional + (kwnames != nullptr ? PyTuple_GET_SIZE(kwnames) : 0);
  // Refused before it runs where that is known: the operation may write into its arguments.
  if (has_array(args, count) && refuse_fallback(name, reason) < 0) return nullptr;
  const int64_t began = fallback_begins();
  RealValues values;
  PyObject* result = call_with_real(values, function, args, count, positional, kwnames);
  if (result != nullptr && values.crossed() && record_fallback(name, reason, values.bytes(), began) < 0) Py_CLEAR(result);
  return result;
}

PyObject* retry_with_numpy(PyObject* function, PyObject* const* args, size_t nargsf, PyObject* kwnames, const char* name,
                           const char* reason) {
  const Py_ssize_t positional = PyVectorcall_NARGS(nargsf);
  const Py_ssize_t count = positional + (kwnames != nullptr ? PyTuple_GET_SIZE(kwnames) : 0);
  const int64_t began = fallback_begins();
  RealValues values;
  PyObject* result = call_with_real(values, function, args, count, positional, kwnames);
  if (result != nullptr && values.crossed() && record_fallback(name, reason, values.bytes(), began) < 0) Py_CLEAR(result);
  return result;
}

PyObject* call_numpy(PyObject* function, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const Py_ssize_t positional = PyVectorcall_NARGS(nargsf);
  const Py_ssize_t count = positional + (kwnames != nullptr ? PyTuple_GET_SIZE(kwnames) : 0);
  RealValues values;
  return call_with_real(values, function, args, count, positional, kwnames);
}

}  // namespace manycore::python
