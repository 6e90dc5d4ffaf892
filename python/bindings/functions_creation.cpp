// New arrays: zeros, ones, empty, full and their *_like, eye and arange.
#include <cmath>

#include "bindings/function_object.h"
#include "bindings/operation_inputs.h"
#include "bindings/real_numpy.h"
#include "evaluate/assign.h"
#include "evaluate/create.h"

namespace manycore::python {
namespace {

// 'C' or 'F'; absent is C.
bool order_from(PyObject* object, Order* order) {
  *order = Order::kC;
  if (not_given(object)) return true;
  if (!PyUnicode_Check(object)) return false;
  if (PyUnicode_CompareWithASCIIString(object, "F") == 0) {
    *order = Order::kF;
    return true;
  }
  return PyUnicode_CompareWithASCIIString(object, "C") == 0;
}

// shape, dtype, order of zeros, ones and empty.
struct NewArray {
  Dims shape;
  DType dtype;
  Order order;
};
bool parse_new(FunctionCall& call, NewArray* result) {
  static constexpr const char* names[] = {"shape", "dtype", "order", "device", "like"};
  PyObject* values[5];
  if (!parse(call, names, values)) return false;
  if (values[0] == nullptr || !not_given(values[3]) || !not_given(values[4]) || !shape_from(values[0], &result->shape)) {
    call.declined = "arguments that only NumPy serves";
    return false;
  }
  for (int64_t extent : result->shape) {
    if (extent < 0) call.refused = "a negative dimension";
  }
  if (!dtype_or(values[1], DType::kFloat64, &result->dtype)) call.declined = "dtype is none of the engine's";
  if (!order_from(values[2], &result->order)) call.declined = "argument order";
  return call.declined == nullptr && call.refused.empty();
}

PyObject* zeros(FunctionCall& call) {
  NewArray made;
  return parse_new(call, &made) ? wrap(Array::zeros(made.shape, made.dtype, made.order)) : nullptr;
}
PyObject* empty(FunctionCall& call) {
  NewArray made;
  return parse_new(call, &made) ? wrap(Array::empty(made.shape, made.dtype, made.order)) : nullptr;
}
PyObject* ones(FunctionCall& call) {
  NewArray made;
  return parse_new(call, &made) ? wrap(evaluate::full(made.shape, made.dtype, Scalar::integer(1), made.order)) : nullptr;
}

PyObject* full(FunctionCall& call) {
  static constexpr const char* names[] = {"shape", "fill_value", "dtype", "order", "device", "like"};
  PyObject* values[6];
  if (!parse(call, names, values)) return nullptr;
  Dims shape;
  OperandHolder value;
  Order order;
  if (values[0] == nullptr || values[1] == nullptr || !not_given(values[4]) || !not_given(values[5]) ||
      !shape_from(values[0], &shape) || !order_from(values[3], &order)) {
    return call.decline("arguments that only NumPy serves");
  }
  const int converted = convert_operand(values[1], &value);
  if (converted < 0) return nullptr;
  DType dtype;
  if (converted == 0 || !value.is_scalar || !dtype_or(values[2], value.scalar.dtype, &dtype)) {
    return call.decline("type of the value");
  }
  return wrap(evaluate::full(shape, dtype, value.scalar, order));
}

// prototype, dtype and order of the *_like functions; `values` continues with what else the function takes.
bool parse_like(FunctionCall& call, PyObject* prototype, PyObject* dtype_object, PyObject* order_object, PyObject* shape,
                Array* made) {
  if (prototype == nullptr || !is_array(prototype) || !not_given(shape)) {
    call.declined = "type of the prototype";
    return false;
  }
  const Array& model = array_of(prototype);
  DType dtype;
  evaluate::CopyOrder order;
  if (!dtype_or(dtype_object, model.dtype(), &dtype) || !copy_order_from(order_object, evaluate::CopyOrder::kK, &order)) {
    call.declined = "arguments that only NumPy serves";
    return false;
  }
  *made = evaluate::empty_like(model.described(), dtype, order);
  return true;
}

// Shared by the three that take no value.
bool parse_like_call(FunctionCall& call, const char* first, Array* made) {
  const char* const names[] = {first, "dtype", "order", "subok", "shape", "device"};
  PyObject* values[6];
  if (!parse(call, names, values)) return false;
  if (!not_given(values[5])) {
    call.declined = "argument device";
    return false;
  }
  return parse_like(call, values[0], values[1], values[2], values[4], made);
}

PyObject* empty_like(FunctionCall& call) {
  Array made;
  return parse_like_call(call, "prototype", &made) ? wrap(std::move(made)) : nullptr;
}
PyObject* filled_like(FunctionCall& call, const Scalar& value) {
  Array made;
  if (!parse_like_call(call, "a", &made)) return nullptr;
  evaluate::fill_new(made.view(), value);
  return wrap(std::move(made));
}
PyObject* zeros_like(FunctionCall& call) { return filled_like(call, Scalar::boolean(false)); }
PyObject* ones_like(FunctionCall& call) { return filled_like(call, Scalar::boolean(true)); }

PyObject* full_like(FunctionCall& call) {
  static constexpr const char* names[] = {"a", "fill_value", "dtype", "order", "subok", "shape", "device"};
  PyObject* values[7];
  if (!parse(call, names, values)) return nullptr;
  OperandHolder value;
  const int converted = values[1] != nullptr ? convert_operand(values[1], &value) : 0;
  if (converted < 0) return nullptr;
  if (converted == 0 || !value.is_scalar || !not_given(values[6])) return call.decline("type of the value");
  Array made;
  if (!parse_like(call, values[0], values[2], values[3], values[5], &made)) return nullptr;
  unsigned status = 0;
  // NumPy fills through copyto(casting="unsafe").
  evaluate::fill_new(made.view(), evaluate::cast_scalar(value.scalar, made.dtype(), &status), &status);
  if (status != 0 && report_floating_point(status, "cast") < 0) return nullptr;
  return wrap(std::move(made));
}

PyObject* eye(FunctionCall& call) {
  static constexpr const char* names[] = {"N", "M", "k", "dtype", "order", "device", "like"};
  PyObject* values[7];
  if (!parse(call, names, values)) return nullptr;
  int64_t rows = 0, columns = 0, offset = 0;
  DType dtype;
  Order order;
  if (values[0] == nullptr || !integer_from(values[0], &rows) || (!not_given(values[1]) && !integer_from(values[1], &columns)) ||
      (values[2] != nullptr && !integer_from(values[2], &offset)) || !dtype_or(values[3], DType::kFloat64, &dtype) ||
      !order_from(values[4], &order) || !not_given(values[5]) || !not_given(values[6])) {
    return call.decline("arguments that only NumPy serves");
  }
  if (not_given(values[1])) columns = rows;
  if (rows < 0 || columns < 0) return call.decline("negative extent");
  Array made = Array::zeros(Dims{rows, columns}, dtype, order);
  const int64_t first_row = offset < 0 ? -offset : 0, first_column = offset > 0 ? offset : 0;
  if (first_row < rows && first_column < columns) {
    View diagonal = made.view();
    diagonal.data += first_row * diagonal.strides[0] + first_column * diagonal.strides[1];
    diagonal.shape = Dims{std::min(rows - first_row, columns - first_column)};
    diagonal.strides = Dims{made.strides()[0] + made.strides()[1]};
    evaluate::fill(diagonal, Scalar::boolean(true));
  }
  return wrap(std::move(made));
}

// Python numbers whose arithmetic NumPy would do in double or in exact integers below 2^53.
bool arange_number(PyObject* object, Scalar* scalar, double* value) {
  if (PyFloat_CheckExact(object)) {
    *value = PyFloat_AS_DOUBLE(object);
    *scalar = Scalar::real(*value);
    return std::isfinite(*value);
  }
  int64_t integer = 0;
  if (!PyLong_CheckExact(object) || !integer_from(object, &integer) || std::llabs(integer) > (int64_t{1} << 52)) return false;
  *value = static_cast<double>(integer);
  *scalar = Scalar::integer(integer);
  return true;
}

PyObject* arange(FunctionCall& call) {
  static constexpr const char* names[] = {"start", "stop", "step", "dtype", "device", "like"};
  PyObject* values[6];
  if (!parse(call, names, values)) return nullptr;
  PyObject *start = values[0], *stop = values[1], *step = values[2];
  if (stop == nullptr || stop == Py_None) std::swap(start, stop);
  Scalar first = Scalar::integer(0), delta = Scalar::integer(1), end;
  double first_value = 0, delta_value = 1, end_value = 0;
  if (stop == nullptr || !not_given(values[4]) || !not_given(values[5]) || !arange_number(stop, &end, &end_value) ||
      (!not_given(start) && !arange_number(start, &first, &first_value)) ||
      (!not_given(step) && !arange_number(step, &delta, &delta_value)) || delta_value == 0) {
    return call.decline("arguments that only NumPy serves");
  }
  const bool all_integers = first.weak == Weak::kInteger && delta.weak == Weak::kInteger && end.weak == Weak::kInteger;
  DType dtype;
  if (!dtype_or(values[3], all_integers ? DType::kInt64 : DType::kFloat64, &dtype))
    return call.decline("dtype is none of the engine's");
  // A fractional step into an integer dtype rounds the first two elements, bool has its own rules.
  if (dtype == DType::kBool || (!all_integers && !is_inexact(dtype))) return call.decline("argument dtype");
  const double length = std::ceil((end_value - first_value) / delta_value);
  if (!(length < 1e15)) return call.decline("length");
  const auto count = static_cast<int64_t>(std::max(length, 0.0));
  return wrap(evaluate::arange(first, delta, count, dtype));
}

}  // namespace

const NativeFunctionRow kCreationFunctions[] = {{"numpy.zeros", zeros},
                                                {"numpy.ones", ones},
                                                {"numpy.empty", empty},
                                                {"numpy.full", full},
                                                {"numpy.zeros_like", zeros_like},
                                                {"numpy.ones_like", ones_like},
                                                {"numpy.empty_like", empty_like},
                                                {"numpy.full_like", full_like},
                                                {"numpy.eye", eye},
                                                {"numpy.arange", arange},
                                                {nullptr, nullptr}};

}  // namespace manycore::python
