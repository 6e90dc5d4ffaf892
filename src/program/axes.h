// Split: a C-ordered array that is reduced along neighbouring axes, seen as outer x reduced x inner elements.
#pragma once

#include <optional>

#include "program/instruction.h"

namespace manycore::program {

struct Split {
  int64_t outer = 1, reduced = 1, inner = 1;
  bool operator==(const Split&) const = default;
};

// None where the reduced axes are not neighbours (axes of extent 1 do not count).
inline std::optional<Split> split(const Dims& shape, const bool* reduced) {
  Split result;
  int part = 0;  // 0 outer, 1 reduced, 2 inner
  for (int axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 1) continue;
    if (reduced[axis]) {
      if (part == 2) return std::nullopt;
      part = 1;
      result.reduced *= shape[axis];
    } else {
      if (part == 1) part = 2;
      (part == 2 ? result.inner : result.outer) *= shape[axis];
    }
  }
  return result;
}

// Of a recorded reduction, which is recorded only when it has one: its output does not move along the reduced axes.
inline Split split_of(const Instruction& reduction) {
  bool reduced[kMaxDims];
  const View& output = reduction.output.view;
  for (int axis = 0; axis < output.ndim(); ++axis) reduced[axis] = output.shape[axis] > 1 && output.strides[axis] == 0;
  return split(output.shape, reduced).value_or(Split{});
}

}  // namespace manycore::program
