// Small answers about shapes and elements that several slots share.
#include "bindings/array_type.h"

namespace manycore::python {

namespace {

template <class T>
bool is_nonzero(const std::byte* element) {
  T value;
  std::memcpy(&value, element, sizeof value);
  return value != T(0);
}

}  // namespace

PyObject* tuple_from(const Dims& dims) {
  PyObject* tuple = PyTuple_New(dims.size());
  if (!tuple) return nullptr;
  for (int i = 0; i < dims.size(); ++i) {
    PyObject* value = PyLong_FromLongLong(dims[i]);
    if (!value) {
      Py_DECREF(tuple);
      return nullptr;
    }
    PyTuple_SET_ITEM(tuple, i, value);
  }
  return tuple;
}

bool element_is_true(const std::byte* element, DType dtype) {
  switch (dtype) {
    case DType::kFloat16: {
      uint16_t bits;
      std::memcpy(&bits, element, sizeof bits);
      return (bits & 0x7fff) != 0;  // -0.0 is false
    }
    case DType::kFloat32:
      return is_nonzero<float>(element);
    case DType::kFloat64:
      return is_nonzero<double>(element);
    case DType::kComplex64:
      return is_nonzero<std::complex<float>>(element);
    case DType::kComplex128:
      return is_nonzero<std::complex<double>>(element);
    default:
      return std::any_of(element, element + item_size(dtype), [](std::byte byte) { return byte != std::byte{0}; });
  }
}

}  // namespace manycore::python
