// NumPy's own ndarray.view, told about our type: code that says `subclass.view(np.ndarray)` passes our ndarray, which NumPy
// would read as a dtype. Only our own names lead to our type, so who passes it asks for an array of ours.
// The function behind the one method object is exchanged: its identity, name and signature stay NumPy's.
#include <string_view>
#include <vector>

#include "bindings/metatype.h"
#include "bindings/numpy_api.h"
#include "bindings/real_values.h"

namespace manycore::python {

namespace {

using KeywordFunction = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);
KeywordFunction numpy_view = nullptr;

PyObject* our_type() { return reinterpret_cast<PyObject*>(&ArrayType); }

PyObject* view_as_ours(PyObject* self, PyObject* const* args, Py_ssize_t count, Py_ssize_t total, PyObject* names) {
  std::vector<PyObject*> real(args, args + total);
  for (PyObject*& argument : real) {
    if (argument == our_type()) argument = reinterpret_cast<PyObject*>(&PyArray_Type);
  }
  PyObject* made = numpy_view(self, real.data(), count, names);
  if (!made) return nullptr;
  PyObject* ours = from_numpy(made);
  Py_DECREF(made);
  return ours;
}

PyObject* view(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  const Py_ssize_t total = count + (names ? PyTuple_GET_SIZE(names) : 0);
  for (Py_ssize_t i = 0; i < total; ++i) {
    if (args[i] == our_type()) return view_as_ours(self, args, count, total, names);
  }
  return numpy_view(self, args, count, names);
}

// super().__array_ufunc__(...) of a subclass: NumPy's own refuses operands that have an override, as ours have.
PyCFunctionWithKeywords numpy_array_ufunc = nullptr;

PyObject* array_ufunc(PyObject* self, PyObject* args, PyObject* kwargs) {
  RealValues values;
  PyObject* real_args = values.to_real(args);
  PyObject* real_kwargs = real_args && kwargs ? values.to_real(kwargs) : nullptr;
  PyObject* result = nullptr;
  if (real_args && (real_kwargs || !kwargs)) result = numpy_array_ufunc(self, real_args, real_kwargs);
  Py_XDECREF(real_args);
  Py_XDECREF(real_kwargs);
  return result && values.crossed() ? values.from_real(result) : result;
}

void exchange_array_ufunc(PyMethodDef* method) {
  if (method->ml_flags != (METH_VARARGS | METH_KEYWORDS)) return;
  auto function = reinterpret_cast<PyCFunctionWithKeywords>(reinterpret_cast<void (*)()>(method->ml_meth));
  if (function == array_ufunc) return;
  numpy_array_ufunc = function;
  method->ml_meth = reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(array_ufunc));
}

}  // namespace

bool register_real_view() {
  for (PyMethodDef* method = PyArray_Type.tp_methods; method && method->ml_name; ++method) {
    if (std::string_view(method->ml_name) == "__array_ufunc__") exchange_array_ufunc(method);
    if (std::string_view(method->ml_name) != "view" || method->ml_flags != (METH_FASTCALL | METH_KEYWORDS)) continue;
    auto function = reinterpret_cast<KeywordFunction>(reinterpret_cast<void (*)()>(method->ml_meth));
    if (function == view) continue;
    numpy_view = function;
    method->ml_meth = reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(view));
  }
  return true;
}

}  // namespace manycore::python
