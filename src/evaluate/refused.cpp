#include "evaluate/refused.h"

#include <algorithm>

#include "op/resolve.h"

namespace manycore::evaluate {

bool shapes_meet(const Dims& a, const Dims& b) {
  const int shared = std::min(a.size(), b.size());
  for (int i = 1; i <= shared; ++i) {
    const int64_t from_a = a[a.size() - i], from_b = b[b.size() - i];
    if (from_a != from_b && from_a != 1 && from_b != 1) return false;
  }
  return true;
}

bool shape_fits(const Dims& source, const Dims& target) {
  for (int i = 1; i <= source.size(); ++i) {
    const int64_t extent = source[source.size() - i];
    if (extent != 1 && (i > target.size() || extent != target[target.size() - i])) return false;
  }
  return true;
}

bool axes_fit(const std::optional<Dims>& axes, int ndim) {
  if (!axes) return true;
  bool seen[kMaxDims] = {};
  for (const int64_t axis : *axes) {
    if (axis < -ndim || axis >= ndim) return false;
    bool& known = seen[axis < 0 ? axis + ndim : axis];
    if (known) return false;
    known = true;
  }
  return true;
}

bool matmul_meets(const View& a, const View& b) {
  if (a.ndim() == 0 || b.ndim() == 0) return false;
  return a.shape[a.ndim() - 1] == b.shape[b.ndim() == 1 ? 0 : b.ndim() - 2];
}

bool elementwise_fits(op::Op operation, std::span<const Operand> inputs, const Array* output) {
  op::OperandType types[3];
  const View* first = nullptr;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const View* view = inputs[i].view;
    types[i] =
        view ? op::OperandType{view->dtype, Weak::kStrong} : op::OperandType{inputs[i].scalar.dtype, inputs[i].scalar.weak};
    if (!view) continue;
    if (first && !shapes_meet(first->shape, view->shape)) return false;
    if (output && (view->ndim() > output->ndim() || !shape_fits(view->shape, output->shape()))) return false;
    first = view;
  }
  op::Signature signature;
  if (!op::find_signature(operation, std::span<const op::OperandType>(types, inputs.size()), &signature)) return false;
  return !output || can_cast(signature.outputs[0], output->dtype(), Casting::kSameKind);
}

}  // namespace manycore::evaluate
