#include "bindings/operation_inputs.h"

#include "bindings/fallback.h"
#include "bindings/real_numpy.h"

namespace manycore::python {
namespace {

// A list or tuple becomes what numpy.asarray makes of it, if that is one of our dtypes.
int array_of_sequence(PyObject* object, Array* array) {
  PyObject* real = call_numpy(real_numpy().asarray, &object, 1, nullptr);
  if (real == nullptr) {
    PyErr_Clear();  // NumPy says it again, with its own words, when the caller hands over
    return 0;
  }
  const bool is_ours = is_array(real);
  if (is_ours) *array = array_of(real);
  Py_DECREF(real);
  return is_ours ? 1 : 0;
}

bool is_sequence(PyObject* object) { return PyList_CheckExact(object) || PyTuple_CheckExact(object); }

}  // namespace

int Inputs::add_other(PyObject* object) {
  if (PyLong_CheckExact(object)) {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow == 0) {
      operands_[count_++].scalar = Scalar::integer(value);
      return 1;
    }
  }
  OperandHolder& holder = holders_[count_].emplace();
  if (is_sequence(object)) {
    const int taken = array_of_sequence(object, &holder.array);
    if (taken == 1) take(holder.array);
    return taken;
  }
  const int converted = convert_operand(object, &holder);
  if (converted != 1) return converted;
  if (holder.is_scalar) {
    operands_[count_++].scalar = holder.scalar;
  } else {
    take(holder.array);
  }
  return 1;
}

int take_array(PyObject* object, Array* array) {
  if (is_array(object)) {
    *array = array_of(object);
    return 1;
  }
  if (is_sequence(object)) return array_of_sequence(object, array);
  if (!is_real_array(object)) return 0;
  PyObject* ours = from_numpy(object);
  if (ours == nullptr) return -1;
  const bool is_ours = is_array(ours);
  if (is_ours) *array = array_of(ours);
  Py_DECREF(ours);
  return is_ours ? 1 : 0;
}

int take_output(PyObject* object, Array* array) {
  if (!is_array(object) && !is_real_array(object)) return 0;
  PyObject* ours = is_array(object) ? Py_NewRef(object) : from_numpy(object);
  if (ours == nullptr) return -1;
  const bool is_writeable = is_array(ours) && reinterpret_cast<ArrayObject*>(ours)->writeable;
  if (is_writeable) *array = array_of(ours);
  Py_DECREF(ours);
  return is_writeable ? 1 : 0;
}

}  // namespace manycore::python
