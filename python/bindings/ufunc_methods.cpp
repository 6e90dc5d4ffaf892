// ufunc.reduce, accumulate, reduceat, outer and at: the first two and outer natively where the engine has the reduction.
#include "bindings/fallback.h"
#include "bindings/function_arguments.h"
#include "bindings/reduce_call.h"
#include "bindings/ufunc_object.h"

namespace manycore::python {
namespace {

const UfuncObject& ufunc_from(PyObject* self) { return *reinterpret_cast<UfuncObject*>(self); }

// NumPy's method of that name with the same arguments.
PyObject* real_method_call(const UfuncObject& ufunc, const char* method, PyObject* const* args, Py_ssize_t nargs,
                           PyObject* kwnames, const Refusal& refusal) {
  PyObject* function = PyObject_GetAttrString(ufunc.real, method);
  if (function == nullptr) return nullptr;
  const std::string name = ufunc.qualified_name + "." + method;
  const auto count = static_cast<size_t>(nargs);
  PyObject* result = refusal.error.empty()
                         ? call_fallback(function, args, count, kwnames, name.c_str(), refusal.declined)
                         : retry_with_numpy(function, args, count, kwnames, name.c_str(), refusal.error.c_str());
  Py_DECREF(function);
  return result;
}

PyObject* zero() {
  static PyObject* number = PyLong_FromLong(0);
  return number;
}

// outer(a, b) is the call on a with b's axes appended.
PyObject* outer_native(const UfuncObject& ufunc, PyObject* const* args, Refusal* refusal) {
  return guarded([&]() -> PyObject* {
    Array left, right;
    for (int i = 0; i < 2; ++i) {
      const int taken = take_array(args[i], i == 0 ? &left : &right);
      if (taken < 0) return nullptr;
      if (taken == 0) {
        refusal->declined = "type of an operand";
        return nullptr;
      }
    }
    View stretched = left.described();
    for (int i = 0; i < right.ndim(); ++i) {
      stretched.shape.push_back(1);
      stretched.strides.push_back(0);
    }
    PyObject* operands[2] = {wrap_view(left.with_view(std::move(stretched)), args[0]), wrap(right)};
    PyObject* result = operands[0] != nullptr && operands[1] != nullptr ? call_plain(ufunc, operands) : nullptr;
    Py_XDECREF(operands[0]);
    Py_XDECREF(operands[1]);
    return result;
  });
}

}  // namespace

PyObject* ufunc_reduce(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* names[] = {"array", "axis", "dtype", "out", "keepdims", "initial", "where"};
  const UfuncObject& ufunc = ufunc_from(self);
  FunctionCall call{args, nargs, kwnames};
  PyObject* values[7];
  Refusal refusal;
  if (!ufunc.reduction) {
    refusal.declined = "no native reduction";
  } else if (!parse(call, names, values) || values[0] == nullptr) {
    refusal.declined = "arguments that only NumPy serves";
  } else {
    const ReduceArguments arguments{
        values[0], values[1] != nullptr ? values[1] : zero(), values[2], values[3], values[4], values[5], values[6]};
    PyObject* result = reduce_native(*ufunc.reduction, arguments, &refusal);
    if (result != nullptr || !refusal.refused()) return result;
  }
  return real_method_call(ufunc, "reduce", args, nargs, kwnames, refusal);
}

PyObject* ufunc_accumulate(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* names[] = {"array", "axis", "dtype", "out"};
  const UfuncObject& ufunc = ufunc_from(self);
  FunctionCall call{args, nargs, kwnames};
  PyObject* values[4];
  Refusal refusal;
  if (!ufunc.reduction) {
    refusal.declined = "no native reduction";
  } else if (!parse(call, names, values) || values[0] == nullptr || values[1] == Py_None) {
    refusal.declined = "arguments that only NumPy serves";
  } else {
    const ReduceArguments arguments{values[0], values[1] != nullptr ? values[1] : zero(), values[2], values[3]};
    PyObject* result = accumulate_native(*ufunc.reduction, arguments, &refusal);
    if (result != nullptr || !refusal.refused()) return result;
  }
  return real_method_call(ufunc, "accumulate", args, nargs, kwnames, refusal);
}

PyObject* ufunc_reduceat(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return real_method_call(ufunc_from(self), "reduceat", args, nargs, kwnames, {"reduceat is not native", {}});
}

PyObject* ufunc_at(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return real_method_call(ufunc_from(self), "at", args, nargs, kwnames, {"at is not native", {}});
}

PyObject* ufunc_outer(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  const UfuncObject& ufunc = ufunc_from(self);
  Refusal refusal;
  if (!ufunc.is_native || ufunc.inputs != 2 || nargs != 2 || kwnames != nullptr) {
    refusal.declined = "arguments that only NumPy serves";
  } else {
    PyObject* result = outer_native(ufunc, args, &refusal);
    if (result != nullptr || !refusal.refused()) return result;
  }
  return real_method_call(ufunc, "outer", args, nargs, kwnames, refusal);
}

}  // namespace manycore::python
