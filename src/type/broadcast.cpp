#include <algorithm>

#include "manycore/errors.h"
#include "manycore/view.h"

namespace manycore {
namespace {

[[noreturn]] void fail_broadcast_to(const View& view, const Dims& shape) {
  throw UserError(ErrorKind::kValue, "operands could not be broadcast together with remapped shapes [original->remapped]: " +
                                         shape_text(view.shape) + "  and requested shape " + shape_text(shape));
}

}  // namespace

Dims broadcast_shapes(const Dims& a, const Dims& b) {
  const Dims& longer = a.size() >= b.size() ? a : b;
  const Dims& shorter = a.size() >= b.size() ? b : a;
  Dims result = longer;
  int lead = longer.size() - shorter.size();
  for (int axis = 0; axis < shorter.size(); ++axis) {
    int64_t& extent = result[lead + axis];
    if (extent == shorter[axis] || shorter[axis] == 1) continue;
    if (extent != 1)
      throw UserError(ErrorKind::kValue,
                      "operands could not be broadcast together with shapes " + shape_text(a) + " " + shape_text(b) + " ");
    extent = shorter[axis];
  }
  return result;
}

View broadcast_to(const View& view, const Dims& shape) {
  for (int64_t extent : shape)
    if (extent < 0) throw UserError(ErrorKind::kValue, "all elements of broadcast shape must be non-negative");
  int lead = shape.size() - view.ndim();
  if (lead < 0) {
    throw UserError(ErrorKind::kValue, shape.empty() ? "cannot broadcast a non-scalar to a scalar array"
                                                     : "input operand has more dimensions than allowed by the axis remapping");
  }
  View result{view.data, view.dtype, shape, Dims(shape.size(), 0)};
  for (int axis = 0; axis < view.ndim(); ++axis) {
    if (view.shape[axis] == 1) continue;  // stretched, or one step that is never taken: stride 0 either way, as NumPy has it
    if (view.shape[axis] != shape[lead + axis]) fail_broadcast_to(view, shape);
    result.strides[lead + axis] = view.strides[axis];
  }
  return result;
}

}  // namespace manycore
