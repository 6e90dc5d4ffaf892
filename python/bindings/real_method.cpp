// Calling NumPy's own method on the zero-copy view of one of our arrays.
#include <vector>

#include "bindings/array_type.h"
#include "bindings/fallback.h"
#include "bindings/numpy_api.h"

namespace manycore::python {

namespace {

// self and the call's arguments in one row, with the spare place in front that vectorcall may use.
class Arguments {
 public:
  Arguments(PyObject* self, const Call& call) {
    const Py_ssize_t named = call.keywords ? PyTuple_GET_SIZE(call.keywords) : 0;
    const size_t count = static_cast<size_t>(call.count + named);
    if (count + 2 > std::size(inside_)) {
      outside_.resize(count + 2);
      row_ = outside_.data();
    }
    row_[1] = self;
    std::copy_n(call.args, count, row_ + 2);
  }
  PyObject* const* begin() const { return row_ + 1; }

 private:
  PyObject* inside_[10] = {};
  std::vector<PyObject*> outside_;
  PyObject** row_ = inside_;
};

size_t flagged(const Call& call) { return static_cast<size_t>(call.count + 1) | PY_VECTORCALL_ARGUMENTS_OFFSET; }

}  // namespace

PyObject* call_real_method(PyObject* self, const char* name, const Call& call) {
  PyObject* method = real_method(name);
  PyObject* real = method ? to_numpy(self) : nullptr;
  if (!real) return nullptr;
  const Arguments arguments(real, call);
  PyObject* result = PyObject_Vectorcall(method, arguments.begin(), flagged(call), call.keywords);
  Py_DECREF(real);
  return result;
}

PyObject* call_real_method_wrapped(PyObject* self, const char* name, const Call& call) {
  PyObject* method = real_method(name);
  if (!method) return nullptr;
  return call_numpy(method, Arguments(self, call).begin(), flagged(call), call.keywords);
}

PyObject* fall_back_to_method(PyObject* self, const char* name, const Call& call, const char* reason) {
  PyObject* method = real_method(name);
  if (!method) return nullptr;
  const std::string full_name = std::string("ndarray.") + name;
  return call_fallback(method, Arguments(self, call).begin(), flagged(call), call.keywords, full_name.c_str(), reason);
}

PyObject* retry_real_method(PyObject* self, const char* name, const Call& call, const char* reason) {
  PyObject* method = real_method(name);
  if (!method) return nullptr;
  const std::string full_name = std::string("ndarray.") + name;
  return retry_with_numpy(method, Arguments(self, call).begin(), flagged(call), call.keywords, full_name.c_str(), reason);
}

}  // namespace manycore::python
