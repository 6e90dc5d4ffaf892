// Methods that compute new elements and are not reductions.
#include "bindings/exchange.h"
#include "bindings/methods.h"
#include "bindings/operation_inputs.h"
#include "evaluate/assign.h"
#include "evaluate/elementwise.h"
#include "evaluate/index.h"

namespace manycore::python {

namespace {

// The array of an argument that NumPy would convert; false (no exception) for what it must judge.
bool read_array(PyObject* object, Array* array) {
  if (take_array(object, array) == 1) return true;
  PyErr_Clear();
  int64_t value;
  if (read_integer(object, &value) != 1) return false;
  *array = Array::from<int64_t>(std::span<const int64_t>(&value, 1), Dims());
  return true;
}

// The axis to work along; none given means the flattened array.
bool choose_axis(PyObject* axis_object, const Array& array, Array* source, int* axis) {
  if (is_absent(axis_object)) {
    *source = array.ndim() == 1 ? array : array.reshape(Dims{array.size()});
    *axis = 0;
    return true;
  }
  int64_t value;
  if (read_integer(axis_object, &value) != 1) return false;
  *source = array.ndim() == 0 ? array.reshape(Dims{1}) : array;  // NumPy lets a single element have axis 0 here
  if (value < 0) value += source->ndim();
  if (value < 0 || value >= source->ndim()) return false;
  *axis = static_cast<int>(value);
  return true;
}

// One operation on this array and a scalar, into new memory or in place.
Array apply(op::Op operation, const Array& array, double factor, bool in_place, unsigned* status) {
  evaluate::ElementwiseOptions options;
  options.status = status;
  if (in_place) options.outputs[0] = &array;
  const evaluate::Operand operands[] = {array, Scalar::real(factor)};
  return evaluate::elementwise(operation, std::span(operands, operation == op::Op::rint ? 1 : 2), options);
}

// As NumPy rounds to decimals: scale, round half to even, scale back.
Array rounded(const Array& array, int decimals, unsigned* status) {
  if (decimals == 0) return apply(op::Op::rint, array, 0, false, status);
  double factor = 1;
  for (int i = 0; i < std::abs(decimals); ++i) factor *= 10;  // exact up to 10**22
  const auto scale = decimals > 0 ? op::Op::multiply : op::Op::divide;
  const auto back = decimals > 0 ? op::Op::divide : op::Op::multiply;
  const Array result = apply(scale, array, factor, false, status);
  apply(op::Op::rint, result, 0, true, status);
  apply(back, result, factor, true, status);
  return result;
}

}  // namespace

MANYCORE_METHOD(method_take) {
  static Parameters<4> parameters(4, {"indices", "axis", "out", "mode"});
  PyObject* values[4];
  const Call call{args, nargs, keywords};
  const bool plain = parameters.match(call, values) && values[0] && is_absent(values[2]) && !values[3];
  if (!plain) return fall_back_to_method(self, "take", call, "argument out or mode");
  try {
    Array source;
    Array indices;
    int axis = 0;
    const bool understood =
        choose_axis(values[1], array_of(self), &source, &axis) && read_array(values[0], &indices) && is_integer(indices.dtype());
    if (!understood) return fall_back_to_method(self, "take", call, "kind of indices or axis");
    Array result;
    {
      ReleaseGil released(indices.size());
      result = evaluate::take(source.view(), indices.view(), axis);
    }
    return wrap_or_scalar(std::move(result));
  } catch (const UserError&) {
    return retry_real_method(self, "take", call, "bounds");
  } catch (...) {
    set_python_error();
    return nullptr;
  }
}

MANYCORE_METHOD(method_repeat) {
  static Parameters<2> parameters(2, {"repeats", "axis"});
  PyObject* values[2];
  const Call call{args, nargs, keywords};
  int64_t repeats;
  const bool matched = parameters.match(call, values) && values[0] && read_integer(values[0], &repeats) == 1 && repeats >= 0;
  if (!matched) return fall_back_to_method(self, "repeat", call, "repeats per element");
  return guarded([&]() -> PyObject* {
    Array source;
    int axis = 0;
    if (!choose_axis(values[1], array_of(self), &source, &axis)) return fall_back_to_method(self, "repeat", call, "axis");
    Array result;
    {
      ReleaseGil released(source.size() * repeats);
      result = evaluate::repeat(source.view(), repeats, axis);
    }
    return wrap(std::move(result));
  });
}

MANYCORE_METHOD(method_round) {
  static Parameters<2> parameters(2, {"decimals", "out"});
  PyObject* values[2];
  const Call call{args, nargs, keywords};
  const Array array = array_of(self);
  int64_t decimals = 0;
  const bool matched = parameters.match(call, values) && is_absent(values[1]) &&
                       (!values[0] || read_integer(values[0], &decimals) == 1) && std::abs(decimals) <= 22 &&
                       is_floating(array.dtype());
  if (!matched) return fall_back_to_method(self, "round", call, "dtype or argument");
  return guarded([&]() -> PyObject* {
    unsigned status = 0;
    Array result;
    {
      ReleaseGil released(array.size());
      result = rounded(array, static_cast<int>(decimals), &status);
    }
    if (report_floating_point(status, decimals == 0 ? "rint" : "multiply") < 0) return nullptr;
    return wrap_or_scalar(std::move(result));
  });
}

MANYCORE_METHOD(method_nonzero) {
  const Array array = array_of(self);
  if (nargs != 0 || keywords || array.ndim() == 0) return call_real_method_wrapped(self, "nonzero", {args, nargs, keywords});
  return guarded([&]() -> PyObject* {
    std::vector<Array> positions;
    {
      ReleaseGil released(array.size());
      positions = evaluate::nonzero(array.view());
    }
    PyObject* tuple = PyTuple_New(static_cast<Py_ssize_t>(positions.size()));
    for (size_t i = 0; tuple && i < positions.size(); ++i) {
      PyObject* axis = wrap(std::move(positions[i]));
      if (!axis) Py_CLEAR(tuple);
      if (tuple) PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(i), axis);
    }
    return tuple;
  });
}

MANYCORE_METHOD(method_conjugate) {
  const Array array = array_of(self);
  if (nargs != 0 || keywords) return fall_back_to_method(self, "conjugate", {args, nargs, keywords}, "argument out");
  if (!is_complex(array.dtype())) return Py_NewRef(self);
  return guarded([&] {
    const evaluate::Operand operands[] = {array};
    Array result;
    {
      ReleaseGil released(array.size());
      result = evaluate::elementwise(op::Op::conjugate, operands);
    }
    return wrap_or_scalar(std::move(result));
  });
}

MANYCORE_METHOD(method_conj) {
  if (nargs != 0 || keywords) return fall_back_to_method(self, "conj", {args, nargs, keywords}, "argument out");
  return method_conjugate(self, args, nargs, keywords);
}

}  // namespace manycore::python
