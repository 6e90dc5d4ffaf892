// ReadBytes: how much a group reads from memory. Views of one base that lie over each other, as in a stencil, read its bytes once.
// Internal to interpret/.
#pragma once

#include <algorithm>

#include "program/base_map.h"
#include "program/instruction.h"

namespace manycore::interpret {

class ReadBytes {
 public:
  void add(const program::Operand& input) {
    int64_t bytes = item_size(input.view.dtype);
    for (int axis = 0; axis < input.view.ndim(); ++axis) bytes *= input.view.strides[axis] != 0 ? input.view.shape[axis] : 1;
    int64_t& of_base = by_base_[input.base.get()];
    const int64_t before = of_base;
    of_base = std::min(of_base + bytes, input.base->nbytes());
    total_ += of_base - before;
  }
  int64_t total() const { return total_; }

 private:
  program::BaseMap<int64_t> by_base_;
  int64_t total_ = 0;
};

}  // namespace manycore::interpret
