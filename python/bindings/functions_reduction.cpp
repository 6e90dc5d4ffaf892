// sum, prod, min, max, any, all, mean, var, std, argmin, argmax, cumsum, cumprod and count_nonzero under NumPy's signatures.
#include "bindings/function_object.h"
#include "bindings/real_numpy.h"
#include "bindings/reduce_call.h"

namespace manycore::python {
namespace {

using evaluate::Reduction;

// Hand a refusal on to the function object, which asks NumPy.
PyObject* finish(FunctionCall& call, PyObject* result, const Refusal& refusal) {
  if (result != nullptr || !refusal.refused()) return result;
  if (refusal.error.empty()) return call.decline(refusal.declined);
  return call.refuse(refusal.error);
}

template <Reduction kReduction>
PyObject* sum_like(FunctionCall& call) {
  static constexpr const char* names[] = {"a", "axis", "dtype", "out", "keepdims", "initial", "where"};
  PyObject* values[7];
  if (!parse(call, names, values)) return nullptr;
  if (values[0] == nullptr) return call.decline("arguments that only NumPy serves");
  Refusal refusal;
  PyObject* result =
      reduce_native(kReduction, {values[0], values[1], values[2], values[3], values[4], values[5], values[6]}, &refusal);
  return finish(call, result, refusal);
}

template <Reduction kReduction>
PyObject* extremum(FunctionCall& call) {
  static constexpr const char* names[] = {"a", "axis", "out", "keepdims", "initial", "where"};
  PyObject* values[6];
  if (!parse(call, names, values)) return nullptr;
  if (values[0] == nullptr) return call.decline("arguments that only NumPy serves");
  Refusal refusal;
  PyObject* result =
      reduce_native(kReduction, {values[0], values[1], nullptr, values[2], values[3], values[4], values[5]}, &refusal);
  return finish(call, result, refusal);
}

template <Reduction kReduction>
PyObject* truth(FunctionCall& call) {
  static constexpr const char* names[] = {"a", "axis", "out", "keepdims", "where"};
  PyObject* values[5];
  if (!parse(call, names, values)) return nullptr;
  if (values[0] == nullptr) return call.decline("arguments that only NumPy serves");
  Refusal refusal;
  PyObject* result =
      reduce_native(kReduction, {values[0], values[1], nullptr, values[2], values[3], nullptr, values[4]}, &refusal);
  return finish(call, result, refusal);
}

template <Reduction kReduction>
PyObject* position(FunctionCall& call) {
  static constexpr const char* names[] = {"a", "axis", "out", "keepdims"};
  PyObject* values[4];
  if (!parse(call, names, values)) return nullptr;
  if (values[0] == nullptr || (values[1] != nullptr && PyTuple_Check(values[1]))) {
    return call.decline("arguments that only NumPy serves");
  }
  Refusal refusal;
  PyObject* result = reduce_native(kReduction, {values[0], values[1], nullptr, values[2], values[3]}, &refusal);
  return finish(call, result, refusal);
}

PyObject* mean(FunctionCall& call) {
  static constexpr const char* names[] = {"a", "axis", "dtype", "out", "keepdims", "where"};
  PyObject* values[6];
  if (!parse(call, names, values)) return nullptr;
  if (values[0] == nullptr) return call.decline("arguments that only NumPy serves");
  Refusal refusal;
  PyObject* result = mean_native({values[0], values[1], values[2], values[3], values[4], nullptr, values[5]}, &refusal);
  return finish(call, result, refusal);
}

template <bool kRoot>
PyObject* variance(FunctionCall& call) {
  static constexpr const char* names[] = {"a", "axis", "dtype", "out", "ddof", "keepdims", "where", "mean", "correction"};
  PyObject* values[9];
  if (!parse(call, names, values)) return nullptr;
  if (values[0] == nullptr) return call.decline("arguments that only NumPy serves");
  if (!not_given(values[7]) || !not_given(values[8])) return call.decline("argument mean or correction");
  double removed = 0;
  if (values[4] != nullptr) {
    if (!PyLong_CheckExact(values[4]) && !PyFloat_CheckExact(values[4])) return call.decline("argument ddof");
    removed = PyFloat_AsDouble(values[4]);
    if (removed == -1.0 && PyErr_Occurred() != nullptr) return nullptr;
  }
  Refusal refusal;
  PyObject* result =
      variance_native({values[0], values[1], values[2], values[3], values[5], nullptr, values[6]}, removed, kRoot, &refusal);
  return finish(call, result, refusal);
}

template <Reduction kReduction>
PyObject* cumulative(FunctionCall& call) {
  static constexpr const char* names[] = {"a", "axis", "dtype", "out"};
  PyObject* values[4];
  if (!parse(call, names, values)) return nullptr;
  if (values[0] == nullptr) return call.decline("arguments that only NumPy serves");
  Refusal refusal;
  PyObject* result = accumulate_native(kReduction, {values[0], values[1], values[2], values[3]}, &refusal);
  return finish(call, result, refusal);
}

// Over all axes the installed NumPy answers a Python int (older releases) or one of its own.
bool counts_in_python() {
  static const bool answer = [] {
    PyObject* count = PyObject_CallMethod(real_numpy().module, "count_nonzero", "i", 1);
    const bool is_python = count != nullptr && PyLong_CheckExact(count);
    Py_XDECREF(count);
    PyErr_Clear();
    return is_python;
  }();
  return answer;
}

PyObject* count_nonzero(FunctionCall& call) {
  static constexpr const char* names[] = {"a", "axis", "keepdims"};
  PyObject* values[3];
  if (!parse(call, names, values)) return nullptr;
  if (values[0] == nullptr) return call.decline("arguments that only NumPy serves");
  Refusal refusal;
  PyObject* result = reduce_native(Reduction::kCountNonzero, {values[0], values[1], nullptr, nullptr, values[2]}, &refusal);
  result = finish(call, result, refusal);
  const bool keeps = values[2] != nullptr && values[2] != Py_False;
  if (result == nullptr || !not_given(values[1]) || keeps || !counts_in_python()) return result;
  Py_SETREF(result, PyNumber_Index(result));
  return result;
}

}  // namespace

const NativeFunctionRow kReductionFunctions[] = {{"numpy.sum", sum_like<Reduction::kSum>},
                                                 {"numpy.prod", sum_like<Reduction::kProd>},
                                                 {"numpy.min", extremum<Reduction::kMin>},
                                                 {"numpy.amin", extremum<Reduction::kMin>},
                                                 {"numpy.max", extremum<Reduction::kMax>},
                                                 {"numpy.amax", extremum<Reduction::kMax>},
                                                 {"numpy.any", truth<Reduction::kAny>},
                                                 {"numpy.all", truth<Reduction::kAll>},
                                                 {"numpy.argmin", position<Reduction::kArgmin>},
                                                 {"numpy.argmax", position<Reduction::kArgmax>},
                                                 {"numpy.mean", mean},
                                                 {"numpy.var", variance<false>},
                                                 {"numpy.std", variance<true>},
                                                 {"numpy.cumsum", cumulative<Reduction::kSum>},
                                                 {"numpy.cumprod", cumulative<Reduction::kProd>},
                                                 {"numpy.count_nonzero", count_nonzero},
                                                 {nullptr, nullptr}};

}  // namespace manycore::python
