// Plan: in which order a loop visits the elements of several views of one shape. Axes are sorted so that memory is walked
// in address order (outputs decide), axes that all views walk backwards are turned round, neighbouring axes that form one run are
// joined. Axis 0 is the innermost. Element order never changes values: elementwise results do not depend on it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "manycore/view.h"

namespace manycore::evaluate {

inline constexpr int kMaxOperands = 6;  // three inputs, two outputs, a mask

struct Plan {
  int ndim = 0;
  int operands = 0;
  int64_t size = 0;
  std::byte* data[kMaxOperands];
  int64_t shape[kMaxDims];                  // at least one axis, innermost first
  int64_t strides[kMaxOperands][kMaxDims];  // bytes
};

// All views have the same shape (stride 0 where broadcast). Outputs come last, `first_output` is the first of them.
void make_plan(const View* const* views, int count, int first_output, Plan* plan);

// NumPy's 'K' order: the axis order (outermost first) that new outputs of an operation on these views get.
// True when it is C order.
bool output_order(const View* const* views, int count, int ndim, int* order);

// Calls piece(data, n) for runs along the innermost axis that cover the elements [begin, end) in plan order; data[k] is the
// first element of operand k. `longest` bounds n.
template <class Piece>
void walk(const Plan& plan, int64_t begin, int64_t end, int64_t longest, const Piece& piece) {
  int64_t position[kMaxDims];
  std::byte* data[kMaxOperands];
  for (int k = 0; k < plan.operands; ++k) data[k] = plan.data[k];
  int64_t rest = begin;
  for (int axis = 0; axis < plan.ndim; ++axis) {
    position[axis] = rest % plan.shape[axis];
    rest /= plan.shape[axis];
    for (int k = 0; k < plan.operands; ++k) data[k] += position[axis] * plan.strides[k][axis];
  }
  for (int64_t done = begin; done < end;) {
    const int64_t n = std::min({plan.shape[0] - position[0], end - done, longest});
    piece(data, n);
    done += n;
    position[0] += n;
    for (int k = 0; k < plan.operands; ++k) data[k] += n * plan.strides[k][0];
    for (int axis = 0; position[axis] == plan.shape[axis] && axis + 1 < plan.ndim; ++axis) {
      position[axis] = 0;
      ++position[axis + 1];
      for (int k = 0; k < plan.operands; ++k) {
        data[k] += plan.strides[k][axis + 1] - plan.shape[axis] * plan.strides[k][axis];
      }
    }
  }
}

}  // namespace manycore::evaluate
