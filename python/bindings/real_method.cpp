// Calling NumPy's own method on the zero-copy view of one of our arrays.
#include "bindings/array_type.h"
#include "bindings/fallback.h"
#include "bindings/numpy_api.h"

namespace manycore::python {

namespace {

size_t flagged(const Call& call) { return static_cast<size_t>(call.count + 1) | PY_VECTORCALL_ARGUMENTS_OFFSET; }

}  // namespace

PyObject* call_real_method(PyObject* self, const char* name, const Call& call) {
  PyObject* method = real_method(name);
  PyObject* real = method ? to_numpy(self) : nullptr;
  if (!real) return nullptr;
  const MethodArguments arguments(real, call);
  PyObject* result = PyObject_Vectorcall(method, arguments.begin(), flagged(call), call.keywords);
  Py_DECREF(real);
  return result;
}

PyObject* call_real_method_wrapped(PyObject* self, const char* name, const Call& call) {
  PyObject* method = real_method(name);
  if (!method) return nullptr;
  return call_numpy(method, MethodArguments(self, call).begin(), flagged(call), call.keywords);
}

PyObject* fall_back_to_method(PyObject* self, const char* name, const Call& call, const char* reason) {
  PyObject* method = real_method(name);
  if (!method) return nullptr;
  const std::string full_name = std::string("ndarray.") + name;
  return call_fallback(method, MethodArguments(self, call).begin(), flagged(call), call.keywords, full_name.c_str(), reason);
}

PyObject* retry_real_method(PyObject* self, const char* name, const Call& call, const char* reason) {
  PyObject* method = real_method(name);
  if (!method) return nullptr;
  const std::string full_name = std::string("ndarray.") + name;
  return retry_with_numpy(method, MethodArguments(self, call).begin(), flagged(call), call.keywords, full_name.c_str(), reason);
}

}  // namespace manycore::python
