// Anything that can stand in an expression beside our arrays, as the engine's operand.
#include "bindings/exchange.h"
#include "bindings/numpy_api.h"
#include "bindings/scalar.h"

namespace manycore::python {

int convert_operand(PyObject* object, OperandHolder* holder) {
  if (is_array(object)) {
    holder->array = array_of(object);
    holder->is_scalar = false;
    return 1;
  }
  if (scalar_from_python(object, &holder->scalar) || scalar_from_numpy(object, &holder->scalar)) {
    holder->is_scalar = true;
    return 1;
  }
  DType dtype;
  if (!is_usable_real(object, &dtype)) return 0;
  return guarded([&]() -> int {
    holder->array = array_over(reinterpret_cast<PyArrayObject*>(object), dtype);
    holder->is_scalar = false;
    return 1;
  });
}

}  // namespace manycore::python
