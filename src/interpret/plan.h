// Plan: in which order a loop visits the elements of several views of one shape. Axes are sorted so that memory is walked
// in address order (outputs decide), axes that all views walk backwards are turned round, neighbouring axes that form one run are
// joined. Axis 0 is the innermost. Element order never changes values: elementwise results do not depend on it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "manycore/array.h"

namespace manycore::interpret {

inline constexpr int kMaxOperands = 6;       // of one operation: three inputs, two outputs, a mask
inline constexpr int kMaxPlanOperands = 40;  // of a group of operations
inline constexpr int kMaxGroupDims = 8;      // of what is recorded

// Of each operand, one after the other: many operands or many axes, never both, so that a plan stays small enough to keep.
class PlanStrides {
 public:
  static constexpr int kMost = std::max(kMaxOperands * kMaxDims, kMaxPlanOperands* kMaxGroupDims);
  void set_axes(int axes) { axes_ = axes; }
  int64_t* operator[](int operand) { return values_ + operand * axes_; }
  const int64_t* operator[](int operand) const { return values_ + operand * axes_; }

 private:
  int axes_ = 1;
  int64_t values_[kMost];
};

struct Plan {
  int ndim = 0;
  int operands = 0;
  int64_t size = 0;
  std::byte* data[kMaxPlanOperands];
  int64_t shape[kMaxDims];  // at least one axis, innermost first
  PlanStrides strides;      // bytes
};

// All views have the same shape (stride 0 where broadcast). Outputs come last, `first_output` is the first of them.
void make_plan(const View* const* views, int count, int first_output, Plan* plan);

// Makes `axis` the innermost (`place` 0) or next (1) one; the others keep their order.
void bring_to(Plan* plan, int axis, int place);

// Is an output of `item` bytes an element large, and written in long dense runs, so that it is worth writing past the caches
// (kernel/stream.h)? What is read as well, or in tiles, is not: that is the caller's to know.
bool suits_streaming(const Plan& plan, int operand, int64_t item);

// New memory in NumPy's 'K' order: the axis order that outputs of an operation on these views of one shape get.
using MakeArray = Array (*)(const Dims& shape, DType dtype);
inline Array make_empty(const Dims& shape, DType dtype) { return Array::empty(shape, dtype); }
Array make_like_operands(const View* const* views, int count, const Dims& shape, DType dtype, MakeArray make = make_empty);

// Axes that came to their end start again and move the next one on.
inline void carry(const Plan& plan, int axis, int64_t* position, std::byte** data) {
  for (; position[axis] == plan.shape[axis] && axis + 1 < plan.ndim; ++axis) {
    position[axis] = 0;
    ++position[axis + 1];
    for (int k = 0; k < plan.operands; ++k) {
      data[k] += plan.strides[k][axis + 1] - plan.shape[axis] * plan.strides[k][axis];
    }
  }
}

// Calls piece(data, n) for runs along the innermost axis that cover the elements [begin, end) in plan order; data[k] is the
// first element of operand k. `longest` bounds n.
template <class Piece>
void walk(const Plan& plan, int64_t begin, int64_t end, int64_t longest, const Piece& piece) {
  int64_t position[kMaxDims];
  std::byte* data[kMaxPlanOperands];
  for (int k = 0; k < plan.operands; ++k) data[k] = plan.data[k];
  int64_t rest = begin;
  for (int axis = 0; axis < plan.ndim; ++axis) {
    position[axis] = rest % plan.shape[axis];
    rest /= plan.shape[axis];
    for (int k = 0; k < plan.operands; ++k) data[k] += position[axis] * plan.strides[k][axis];
  }
  for (int64_t done = begin; done < end;) {
    if (position[0] == 0 && plan.ndim > 1 && plan.shape[0] <= longest && end - done >= plan.shape[0]) {
      // Whole rows, the common case, with as little as possible between two calls.
      const int64_t rows = std::min(plan.shape[1] - position[1], (end - done) / plan.shape[0]);
      for (int64_t row = 0; row < rows; ++row) {
        piece(data, plan.shape[0]);
        for (int k = 0; k < plan.operands; ++k) data[k] += plan.strides[k][1];
      }
      done += rows * plan.shape[0];
      position[1] += rows;
      carry(plan, 1, position, data);
      continue;
    }
    const int64_t n = std::min({plan.shape[0] - position[0], end - done, longest});
    piece(data, n);
    done += n;
    position[0] += n;
    for (int k = 0; k < plan.operands; ++k) data[k] += n * plan.strides[k][0];
    carry(plan, 0, position, data);
  }
}

// Calls piece(data, n) for runs of at most `run` elements along axis 0, in tiles of `run` by `rows` elements of axes 0 and 1:
// what is far apart along one axis and near along the other stays in the cache meanwhile. Tiles are numbered, those
// along axis 1 first and along axis 0 last; this does [begin, end).
struct Tiling {
  int64_t run, rows;
  int64_t across, down;  // tiles along axes 0 and 1
  int64_t count;
};
Tiling tile(const Plan& plan, int64_t run, int64_t rows);

// Whether tiles pay, with the axes brought into the order that they want; the count is 0 where they do not. The first `inputs`
// operands are read.
Tiling choose_tiling(Plan* plan, int inputs);

template <class Piece>
void walk_tiles(const Plan& plan, const Tiling& tiling, int64_t begin, int64_t end, const Piece& piece) {
  for (int64_t number = begin; number < end; ++number) {
    std::byte* data[kMaxPlanOperands];
    int64_t rest = number;
    const int64_t top = rest % tiling.down * tiling.rows;
    rest /= tiling.down;
    for (int k = 0; k < plan.operands; ++k) data[k] = plan.data[k] + top * plan.strides[k][1];
    for (int axis = 2; axis < plan.ndim; ++axis) {
      const int64_t position = rest % plan.shape[axis];
      rest /= plan.shape[axis];
      for (int k = 0; k < plan.operands; ++k) data[k] += position * plan.strides[k][axis];
    }
    const int64_t first = rest * tiling.run;
    for (int k = 0; k < plan.operands; ++k) data[k] += first * plan.strides[k][0];
    const int64_t n = std::min(tiling.run, plan.shape[0] - first);
    const int64_t rows = std::min(tiling.rows, plan.shape[1] - top);
    for (int64_t row = 0; row < rows; ++row) {
      piece(data, n);
      for (int k = 0; k < plan.operands; ++k) data[k] += plan.strides[k][1];
    }
  }
}

}  // namespace manycore::interpret
