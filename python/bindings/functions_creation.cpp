// New arrays: zeros, ones, empty, full and their *_like, eye, arange, array and asarray. Python objects other than arrays are
// converted by numpy.array itself.
#include <cmath>

#include "bindings/fallback.h"
#include "bindings/function_object.h"
#include "bindings/operation_inputs.h"
#include "bindings/real_numpy.h"
#include "evaluate/assign.h"
#include "evaluate/create.h"

namespace manycore::python {
namespace {

bool dtype_or(PyObject* object, DType fallback, DType* dtype) {
  *dtype = fallback;
  if (not_given(object)) return true;
  return !is_array(object) && !is_real_array(object) && dtype_from_descr(object, dtype);
}

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

bool copy_order_from(PyObject* object, evaluate::CopyOrder otherwise, evaluate::CopyOrder* order) {
  *order = otherwise;
  if (not_given(object)) return true;
  if (!PyUnicode_Check(object) || PyUnicode_GetLength(object) != 1) return false;
  switch (PyUnicode_ReadChar(object, 0)) {
    case 'C': *order = evaluate::CopyOrder::kC; return true;
    case 'F': *order = evaluate::CopyOrder::kF; return true;
    case 'A': *order = evaluate::CopyOrder::kA; return true;
    case 'K': *order = evaluate::CopyOrder::kK; return true;
    default: return false;
  }
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
  if (!dtype_or(values[1], DType::kFloat64, &result->dtype)) call.declined = "dtype is none of the engine's";
  if (!order_from(values[2], &result->order)) call.declined = "argument order";
  return call.declined == nullptr;
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
bool parse_like(FunctionCall& call, PyObject* prototype, PyObject* dtype_object, PyObject* order_object, PyObject* shape, Array* made) {
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
  *made = evaluate::empty_like(model.view(), dtype, order);
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
  evaluate::fill(made.view(), value);
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
  evaluate::fill(made.view(), evaluate::cast_scalar(value.scalar, made.dtype(), &status), &status);
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
  const bool all_integers =
      first.weak == Weak::kInteger && delta.weak == Weak::kInteger && end.weak == Weak::kInteger;
  DType dtype;
  if (!dtype_or(values[3], all_integers ? DType::kInt64 : DType::kFloat64, &dtype)) return call.decline("dtype is none of the engine's");
  // A fractional step into an integer dtype rounds the first two elements, bool has its own rules.
  if (dtype == DType::kBool || (!all_integers && !is_inexact(dtype))) return call.decline("argument dtype");
  const double length = std::ceil((end_value - first_value) / delta_value);
  if (!(length < 1e15)) return call.decline("length");
  const auto count = static_cast<int64_t>(std::max(length, 0.0));
  return wrap(evaluate::arange(first, delta, count, dtype));
}

// array() and asarray() of an array: ours, or a real one, whose memory ours then shares.
enum class Copy { kAlways, kIfNeeded };
PyObject* convert_array(FunctionCall& call, PyObject* object, PyObject* dtype_object, PyObject* order_object, Copy copy) {
  PyObject* ours = is_array(object) ? Py_NewRef(object) : from_numpy(object);
  if (ours == nullptr) return nullptr;
  if (!is_array(ours)) {
    Py_DECREF(ours);
    return call.decline("dtype is none of the engine's");
  }
  const Array& array = array_of(ours);
  DType dtype;
  evaluate::CopyOrder order;
  PyObject* result = nullptr;
  if (!dtype_or(dtype_object, array.dtype(), &dtype) || !copy_order_from(order_object, evaluate::CopyOrder::kK, &order)) {
    call.declined = "arguments that only NumPy serves";
  } else if (is_complex(array.dtype()) && !is_complex(dtype)) {
    call.declined = "cast discards the imaginary part, which warns";
  } else {
    const bool fits = dtype == array.dtype() && (order == evaluate::CopyOrder::kK || order == evaluate::CopyOrder::kA ||
                                                 (order == evaluate::CopyOrder::kC && array.is_c_contiguous()) ||
                                                 (order == evaluate::CopyOrder::kF && array.view().is_f_contiguous()));
    unsigned status = 0;
    if (fits && copy == Copy::kIfNeeded) {
      result = Py_NewRef(ours);
    } else if (dtype == array.dtype()) {
      result = wrap(evaluate::copy(array.view(), order));
    } else {
      Array cast = evaluate::astype(array.view(), dtype, order, &status);
      if (status == 0 || report_floating_point(status, "cast") == 0) result = wrap(std::move(cast));
    }
  }
  Py_DECREF(ours);
  return result;
}

// A list or tuple of Python floats and ints becomes float64 where there is a float, else int64, as numpy.array decides.
struct Numbers {
  bool has_float = false;
  bool scan(PyObject* sequence) {
    PyObject** items = PySequence_Fast_ITEMS(sequence);
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence); ++i) {
      if (PyFloat_CheckExact(items[i])) {
        has_float = true;
      } else if (!PyLong_CheckExact(items[i])) {
        return false;
      }
    }
    return true;
  }
  // False where an int does not fit; NumPy then finds another dtype.
  bool store(PyObject* sequence, std::byte* out) const {
    PyObject** items = PySequence_Fast_ITEMS(sequence);
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence); ++i, out += 8) {
      int overflow = 0;
      const int64_t whole = PyFloat_CheckExact(items[i]) ? 0 : PyLong_AsLongLongAndOverflow(items[i], &overflow);
      if (overflow != 0) return false;
      if (has_float) {
        const double value = PyFloat_CheckExact(items[i]) ? PyFloat_AS_DOUBLE(items[i]) : static_cast<double>(whole);
        std::memcpy(out, &value, sizeof value);
      } else {
        std::memcpy(out, &whole, sizeof whole);
      }
    }
    return true;
  }
};

bool is_sequence(PyObject* object) { return PyList_CheckExact(object) || PyTuple_CheckExact(object); }

// One or two levels of plain numbers, which is what programs write; null without an exception for anything else.
PyObject* array_of_numbers(PyObject* object, PyObject* dtype_object) {
  if (!is_sequence(object) || PySequence_Fast_GET_SIZE(object) == 0) return nullptr;
  Numbers numbers;
  const Py_ssize_t rows = PySequence_Fast_GET_SIZE(object);
  PyObject** items = PySequence_Fast_ITEMS(object);
  const bool nested = is_sequence(items[0]);
  const Py_ssize_t columns = nested ? PySequence_Fast_GET_SIZE(items[0]) : 0;
  if (!nested && !numbers.scan(object)) return nullptr;
  for (Py_ssize_t i = 0; nested && i < rows; ++i) {
    if (!is_sequence(items[i]) || PySequence_Fast_GET_SIZE(items[i]) != columns || !numbers.scan(items[i])) return nullptr;
  }
  if (nested && columns == 0) return nullptr;
  const DType natural = numbers.has_float ? DType::kFloat64 : DType::kInt64;
  DType dtype;
  if (!dtype_or(dtype_object, natural, &dtype) || dtype != natural) return nullptr;
  Array made = Array::empty(nested ? Dims{rows, columns} : Dims{rows}, dtype);
  if (!nested) return numbers.store(object, made.data()) ? wrap(std::move(made)) : nullptr;
  for (Py_ssize_t i = 0; i < rows; ++i) {
    if (!numbers.store(items[i], made.data() + i * columns * 8)) return nullptr;
  }
  return wrap(std::move(made));
}

// Lists, numbers, other libraries' arrays: numpy.array reads them. A conversion, not a fallback.
PyObject* convert_object(FunctionCall& call, PyObject* function) {
  return call_numpy(function, call.args, static_cast<size_t>(call.nargs), call.kwnames);
}

PyObject* cached_function(const char* name) { return PyObject_GetAttrString(real_numpy().module, name); }

PyObject* array(FunctionCall& call) {
  if (call.nargs == 1 && call.kwnames == nullptr) {
    if (PyObject* made = array_of_numbers(call.args[0], nullptr); made != nullptr) return made;
  }
  static constexpr const char* names[] = {"object", "dtype", "copy", "order", "subok", "ndmin", "ndmax", "like"};
  PyObject* values[8];
  if (!parse(call, names, values)) return nullptr;
  if (call.nargs > 2 || values[0] == nullptr) return call.decline("arguments that only NumPy serves");
  if (!is_array(values[0]) && !is_real_array(values[0])) {
    const bool plain = values[2] == nullptr && values[3] == nullptr && values[5] == nullptr && values[6] == nullptr && not_given(values[7]);
    if (PyObject* made = plain ? array_of_numbers(values[0], values[1]) : nullptr; made != nullptr) return made;
    return convert_object(call, real_numpy().array);
  }
  if (values[6] != nullptr || !not_given(values[7])) return call.decline("arguments that only NumPy serves");
  int64_t least = 0;
  if (values[5] != nullptr && !integer_from(values[5], &least)) return call.decline("argument ndmin");
  if (values[2] != nullptr && values[2] != Py_True && values[2] != Py_None) return call.decline("argument copy");
  PyObject* result = convert_array(call, values[0], values[1], values[3], values[2] == Py_None ? Copy::kIfNeeded : Copy::kAlways);
  if (result == nullptr || array_of(result).ndim() >= least) return result;
  Array stretched = array_of(result);
  View view = stretched.view();
  while (view.ndim() < least) {
    view.shape.insert(0, 1);
    view.strides.insert(0, view.nbytes());
  }
  PyObject* taller = wrap_view(stretched.with_view(std::move(view)), result);
  Py_DECREF(result);
  return taller;
}

PyObject* asarray_as(FunctionCall& call, const char* name) {
  if (call.nargs == 1 && call.kwnames == nullptr && is_array(call.args[0])) return Py_NewRef(call.args[0]);
  static constexpr const char* names[] = {"a", "dtype", "order", "device", "copy", "like"};
  PyObject* values[6];
  if (!parse(call, names, values)) return nullptr;
  if (values[0] == nullptr || !not_given(values[3]) || !not_given(values[5]) || values[4] == Py_False) {
    return call.decline("arguments that only NumPy serves");
  }
  if (!is_array(values[0]) && !is_real_array(values[0])) {
    if (PyObject* made = not_given(values[2]) && values[4] == nullptr ? array_of_numbers(values[0], values[1]) : nullptr; made != nullptr) {
      return made;
    }
    PyObject* function = cached_function(name);
    PyObject* result = function != nullptr ? convert_object(call, function) : nullptr;
    Py_XDECREF(function);
    return result;
  }
  return convert_array(call, values[0], values[1], values[2], values[4] == Py_True ? Copy::kAlways : Copy::kIfNeeded);
}
PyObject* asarray(FunctionCall& call) { return asarray_as(call, "asarray"); }
PyObject* asanyarray(FunctionCall& call) { return asarray_as(call, "asanyarray"); }

PyObject* ascontiguousarray(FunctionCall& call) {
  static constexpr const char* names[] = {"a", "dtype", "like"};
  PyObject* values[3];
  if (!parse(call, names, values)) return nullptr;
  if (values[0] == nullptr || !not_given(values[2])) return call.decline("arguments that only NumPy serves");
  if (!is_array(values[0]) || array_of(values[0]).ndim() == 0) {
    PyObject* function = cached_function("ascontiguousarray");
    PyObject* result = function != nullptr ? convert_object(call, function) : nullptr;
    Py_XDECREF(function);
    return result;
  }
  static PyObject* c_order = PyUnicode_InternFromString("C");
  return convert_array(call, values[0], values[1], c_order, Copy::kIfNeeded);
}

}  // namespace

const NativeFunctionRow kCreationFunctions[] = {
    {"numpy.zeros", zeros},         {"numpy.ones", ones},
    {"numpy.empty", empty},         {"numpy.full", full},
    {"numpy.zeros_like", zeros_like}, {"numpy.ones_like", ones_like},
    {"numpy.empty_like", empty_like}, {"numpy.full_like", full_like},
    {"numpy.eye", eye},             {"numpy.arange", arange},
    {"numpy.array", array},         {"numpy.asarray", asarray},
    {"numpy.asanyarray", asanyarray}, {"numpy.ascontiguousarray", ascontiguousarray},
    {nullptr, nullptr}};

}  // namespace manycore::python
