// array, asarray and their kin: arrays are copied, cast or shared by the engine, lists of numbers are read here, every other
// object by numpy.array itself.
#include <cstring>

#include "bindings/fallback.h"
#include "bindings/function_object.h"
#include "bindings/real_numpy.h"
#include "evaluate/assign.h"

namespace manycore::python {
namespace {

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
                                                 (order == evaluate::CopyOrder::kF && array.described().is_f_contiguous()));
    unsigned status = 0;
    if (fits && copy == Copy::kIfNeeded) {
      result = Py_NewRef(ours);
    } else if (dtype == array.dtype()) {
      Array copied;
      if (!evaluate::record_copy(array, dtype, order, &copied)) copied = evaluate::copy(array.view_to_read(), order);
      result = wrap(std::move(copied));
    } else {
      Array cast;
      if (!evaluate::record_copy(array, dtype, order, &cast))
        cast = evaluate::astype(array.view_to_read(), dtype, order, &status);
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
    const bool plain =
        values[2] == nullptr && values[3] == nullptr && values[5] == nullptr && values[6] == nullptr && not_given(values[7]);
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
  View view = stretched.described();
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
    if (PyObject* made = not_given(values[2]) && values[4] == nullptr ? array_of_numbers(values[0], values[1]) : nullptr;
        made != nullptr) {
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

const NativeFunctionRow kConversionFunctions[] = {{"numpy.array", array},
                                                  {"numpy.asarray", asarray},
                                                  {"numpy.asanyarray", asanyarray},
                                                  {"numpy.ascontiguousarray", ascontiguousarray},
                                                  {nullptr, nullptr}};

}  // namespace manycore::python
