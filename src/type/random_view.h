// Random views over a small block for the tests of this room: every mixture of slicing, stepping, reversing, transposing and
// inserted or stretched axes of extent 1. Deterministic for a seed. Test code only.
#pragma once

#include <random>
#include <vector>

#include "manycore/view.h"

namespace manycore::type_test {

inline int64_t pick(std::mt19937& random, int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random);
}

// A view within `block`, which holds at least 4**4 items; the result has 0 to 4 axes.
inline View random_view(std::mt19937& random, std::vector<std::byte>& block, DType dtype) {
  int ndim = static_cast<int>(pick(random, 0, 4));
  Dims shape(ndim);
  for (int axis = 0; axis < ndim; ++axis) shape[axis] = pick(random, 1, 4);
  View view{block.data(), dtype, shape, c_strides(shape, item_size(dtype))};
  int64_t spare = static_cast<int64_t>(block.size()) - view.nbytes();
  view.data += pick(random, 0, spare / item_size(dtype)) * item_size(dtype);
  for (int axis = 0; axis < ndim; ++axis) {
    int64_t step = pick(random, 1, 2);
    int64_t start = pick(random, 0, shape[axis] - 1);
    int64_t count = (shape[axis] - start + step - 1) / step;
    view = slice(view, axis, start, count, step);
    if (pick(random, 0, 2) == 0) view = slice(view, axis, count - 1, count, -1);
  }
  Dims permutation(ndim);
  for (int axis = 0; axis < ndim; ++axis) permutation[axis] = axis;
  if (pick(random, 0, 1)) std::shuffle(permutation.begin(), permutation.end(), random);
  return transpose(view, permutation);
}

// Addresses of the elements in C order (or Fortran order).
inline std::vector<const std::byte*> addresses(const View& view, bool fortran_order = false) {
  std::vector<const std::byte*> result;
  int64_t size = view.size();
  for (int64_t i = 0; i < size; ++i) {
    int64_t rest = i;
    const std::byte* address = view.data;
    for (int k = 0; k < view.ndim(); ++k) {
      int axis = fortran_order ? k : view.ndim() - 1 - k;
      address += rest % view.shape[axis] * view.strides[axis];
      rest /= view.shape[axis];
    }
    result.push_back(address);
  }
  return result;
}

}  // namespace manycore::type_test
