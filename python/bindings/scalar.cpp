#include "bindings/scalar.h"

#include <cmath>
#include <limits>

#include "bindings/numpy_api.h"

namespace manycore::python {

namespace {

// The bindings map numpy.int64 to C long; `long long` is a distinct NumPy type that stays NumPy's.
static_assert(sizeof(long) == 8 && sizeof(int) == 4 && sizeof(short) == 2);

template <class T>
T load(const std::byte* element) {
  T value;
  std::memcpy(&value, element, sizeof value);
  return value;
}

template <class T>
void store(std::byte* element, T value) {
  std::memcpy(element, &value, sizeof value);
}

template <class Object>
PyObject* make_scalar(PyTypeObject& type, const std::byte* element) {
  PyObject* scalar = type.tp_alloc(&type, 0);
  if (scalar) std::memcpy(&reinterpret_cast<Object*>(scalar)->obval, element, sizeof(Object::obval));
  return scalar;
}

template <class Object>
bool read_scalar(PyObject* object, DType dtype, Scalar* scalar) {
  scalar->dtype = dtype;
  scalar->weak = Weak::kStrong;
  std::memcpy(scalar->bytes, &reinterpret_cast<Object*>(object)->obval, sizeof(Object::obval));
  return true;
}

template <class T>
bool store_integer(int64_t value, std::byte* element) {
  if constexpr (std::is_same_v<T, uint64_t>) {
    if (value < 0) return false;
  } else {
    if (value < static_cast<int64_t>(std::numeric_limits<T>::min()) ||
        value > static_cast<int64_t>(std::numeric_limits<T>::max())) {
      return false;
    }
  }
  store<T>(element, static_cast<T>(value));
  return true;
}

bool store_python_integer(PyObject* object, std::byte* element, DType dtype) {
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow) return false;
  switch (dtype) {
    case DType::kBool:
      store<bool>(element, value != 0);
      return true;
    case DType::kInt8:
      return store_integer<int8_t>(value, element);
    case DType::kInt16:
      return store_integer<int16_t>(value, element);
    case DType::kInt32:
      return store_integer<int32_t>(value, element);
    case DType::kInt64:
      store<int64_t>(element, value);
      return true;
    case DType::kUInt8:
      return store_integer<uint8_t>(value, element);
    case DType::kUInt16:
      return store_integer<uint16_t>(value, element);
    case DType::kUInt32:
      return store_integer<uint32_t>(value, element);
    case DType::kUInt64:
      return store_integer<uint64_t>(value, element);
    case DType::kFloat32: {
      // NumPy goes through double: rounding twice is what it does.
      store<float>(element, static_cast<float>(static_cast<double>(value)));
      return true;
    }
    case DType::kFloat64:
      store<double>(element, static_cast<double>(value));
      return true;
    case DType::kComplex128:
      store<std::complex<double>>(element, static_cast<double>(value));
      return true;
    default:
      return false;
  }
}

bool store_python_float(double value, std::byte* element, DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
      store<double>(element, value);
      return true;
    case DType::kComplex128:
      store<std::complex<double>>(element, value);
      return true;
    case DType::kFloat32: {
      const float narrow = static_cast<float>(value);
      if (std::isinf(narrow) && !std::isinf(value)) return false;  // NumPy warns of the overflow
      store<float>(element, narrow);
      return true;
    }
    case DType::kInt64:
      if (!(value >= -9.2e18 && value <= 9.2e18)) return false;
      store<int64_t>(element, static_cast<int64_t>(value));
      return true;
    default:
      return false;
  }
}

}  // namespace

PyObject* scalar_from(const std::byte* element, DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
      return make_scalar<PyDoubleScalarObject>(PyDoubleArrType_Type, element);
    case DType::kInt64:
      return make_scalar<PyLongScalarObject>(PyLongArrType_Type, element);
    case DType::kBool:
      return Py_NewRef(PyArrayScalar_FromLong(load<uint8_t>(element) != 0));  // the macro borrows
    case DType::kFloat32:
      return make_scalar<PyFloatScalarObject>(PyFloatArrType_Type, element);
    case DType::kInt8:
      return make_scalar<PyByteScalarObject>(PyByteArrType_Type, element);
    case DType::kInt16:
      return make_scalar<PyShortScalarObject>(PyShortArrType_Type, element);
    case DType::kInt32:
      return make_scalar<PyIntScalarObject>(PyIntArrType_Type, element);
    case DType::kUInt8:
      return make_scalar<PyUByteScalarObject>(PyUByteArrType_Type, element);
    case DType::kUInt16:
      return make_scalar<PyUShortScalarObject>(PyUShortArrType_Type, element);
    case DType::kUInt32:
      return make_scalar<PyUIntScalarObject>(PyUIntArrType_Type, element);
    case DType::kUInt64:
      return make_scalar<PyULongScalarObject>(PyULongArrType_Type, element);
    case DType::kFloat16:
      return make_scalar<PyHalfScalarObject>(PyHalfArrType_Type, element);
    case DType::kComplex64:
      return make_scalar<PyCFloatScalarObject>(PyCFloatArrType_Type, element);
    case DType::kComplex128:
      return make_scalar<PyCDoubleScalarObject>(PyCDoubleArrType_Type, element);
  }
  PyErr_SetString(PyExc_SystemError, "scalar_from: unknown dtype");
  return nullptr;
}

bool scalar_from_numpy(PyObject* object, Scalar* scalar) {
  PyTypeObject* type = Py_TYPE(object);
  if (type == &PyDoubleArrType_Type) return read_scalar<PyDoubleScalarObject>(object, DType::kFloat64, scalar);
  if (type == &PyLongArrType_Type) return read_scalar<PyLongScalarObject>(object, DType::kInt64, scalar);
  if (type == &PyFloatArrType_Type) return read_scalar<PyFloatScalarObject>(object, DType::kFloat32, scalar);
  if (type == &PyBoolArrType_Type) return read_scalar<PyBoolScalarObject>(object, DType::kBool, scalar);
  if (type == &PyIntArrType_Type) return read_scalar<PyIntScalarObject>(object, DType::kInt32, scalar);
  if (type == &PyUByteArrType_Type) return read_scalar<PyUByteScalarObject>(object, DType::kUInt8, scalar);
  if (type == &PyCDoubleArrType_Type) return read_scalar<PyCDoubleScalarObject>(object, DType::kComplex128, scalar);
  if (type == &PyCFloatArrType_Type) return read_scalar<PyCFloatScalarObject>(object, DType::kComplex64, scalar);
  if (type == &PyByteArrType_Type) return read_scalar<PyByteScalarObject>(object, DType::kInt8, scalar);
  if (type == &PyShortArrType_Type) return read_scalar<PyShortScalarObject>(object, DType::kInt16, scalar);
  if (type == &PyUShortArrType_Type) return read_scalar<PyUShortScalarObject>(object, DType::kUInt16, scalar);
  if (type == &PyUIntArrType_Type) return read_scalar<PyUIntScalarObject>(object, DType::kUInt32, scalar);
  if (type == &PyULongArrType_Type) return read_scalar<PyULongScalarObject>(object, DType::kUInt64, scalar);
  if (type == &PyHalfArrType_Type) return read_scalar<PyHalfScalarObject>(object, DType::kFloat16, scalar);
  return false;
}

bool scalar_from_python(PyObject* object, Scalar* scalar) {
  if (PyFloat_CheckExact(object)) {
    *scalar = Scalar::real(PyFloat_AS_DOUBLE(object));
    return true;
  }
  if (PyLong_CheckExact(object)) {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow == 0) {
      *scalar = Scalar::integer(value);
      return true;
    }
    if (overflow < 0) return false;
    const unsigned long long large = PyLong_AsUnsignedLongLong(object);
    if (large == static_cast<unsigned long long>(-1) && PyErr_Occurred()) {
      PyErr_Clear();
      return false;
    }
    *scalar = Scalar::of<uint64_t>(DType::kUInt64, large, Weak::kInteger);
    return true;
  }
  if (PyBool_Check(object)) {
    *scalar = Scalar::boolean(object == Py_True);
    return true;
  }
  if (PyComplex_CheckExact(object)) {
    const Py_complex value = PyComplex_AsCComplex(object);
    *scalar = Scalar::complex({value.real, value.imag});
    return true;
  }
  return false;
}

PyObject* python_number_from(const std::byte* element, DType dtype) {
  if (dtype == DType::kFloat64) return PyFloat_FromDouble(load<double>(element));  // first: most are
  switch (kind_of(dtype)) {
    case 'b':
      return PyBool_FromLong(load<uint8_t>(element) != 0);
    case 'i': {
      int64_t value = 0;
      switch (item_size(dtype)) {
        case 1:
          value = load<int8_t>(element);
          break;
        case 2:
          value = load<int16_t>(element);
          break;
        case 4:
          value = load<int32_t>(element);
          break;
        default:
          value = load<int64_t>(element);
      }
      return PyLong_FromLongLong(value);
    }
    case 'u': {
      uint64_t value = 0;
      std::memcpy(&value, element, static_cast<size_t>(item_size(dtype)));  // little-endian
      return PyLong_FromUnsignedLongLong(value);
    }
    default:
      break;
  }
  if (dtype == DType::kFloat32) return PyFloat_FromDouble(load<float>(element));
  if (dtype == DType::kComplex128) {
    const auto value = load<std::complex<double>>(element);
    return PyComplex_FromDoubles(value.real(), value.imag());
  }
  if (dtype == DType::kComplex64) {
    const auto value = load<std::complex<float>>(element);
    return PyComplex_FromDoubles(value.real(), value.imag());
  }
  PyObject* half = scalar_from(element, dtype);
  if (!half) return nullptr;
  PyObject* number = PyNumber_Float(half);
  Py_DECREF(half);
  return number;
}

bool store_number(PyObject* object, std::byte* element, DType dtype) {
  if (PyFloat_CheckExact(object)) return store_python_float(PyFloat_AS_DOUBLE(object), element, dtype);
  if (PyLong_CheckExact(object)) return store_python_integer(object, element, dtype);
  Scalar scalar;
  if (!scalar_from_numpy(object, &scalar)) return false;
  if (scalar.dtype != dtype) {
    return scalar.dtype == DType::kFloat64 && is_inexact(dtype) && store_python_float(scalar.get<double>(), element, dtype);
  }
  std::memcpy(element, scalar.bytes, static_cast<size_t>(item_size(dtype)));
  return true;
}

}  // namespace manycore::python
