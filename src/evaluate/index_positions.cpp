#include "evaluate/index_positions.h"

#include <string>

#include "evaluate/assign.h"

namespace manycore::evaluate {

namespace {

[[noreturn]] void fail_bounds(int64_t position, int axis, int64_t extent) {
  throw UserError(ErrorKind::kIndex, "index " + std::to_string(position) + " is out of bounds for axis " + std::to_string(axis) +
                                         " with size " + std::to_string(extent));
}

// Only additions and a sign test, so that the compiler makes vector code of it: with w = position + extent, both w and
// 2 * extent - 1 - w are non-negative exactly where the position is right.
void check_bounds(const int64_t* values, int64_t count, int axis, int64_t extent) {
  uint64_t signs = 0;
  const auto shift = static_cast<uint64_t>(extent);
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t w = static_cast<uint64_t>(values[i]) + shift;
    signs |= w | (2 * shift - 1 - w);
  }
  if (signs >> 63 == 0) return;
  for (int64_t i = 0; i < count; ++i) {
    if (values[i] < -extent || values[i] >= extent) fail_bounds(values[i], axis, extent);
  }
}

Dims join(const Dims& a, const Dims& b, const AdvancedIndex& index) {
  try {
    return broadcast_shapes(a, b);
  } catch (const UserError&) {
    std::string shapes;
    for (const View& view : index.indices) shapes += " " + shape_text(view.shape);
    throw UserError(ErrorKind::kIndex, "shape mismatch: indexing arrays could not be broadcast together with shapes" + shapes);
  }
}

}  // namespace

bool is_single(const View& array, const AdvancedIndex& index, const View* written, SingleIndex* single) {
  if (index.indices.size() != 1) return false;
  const View& view = index.indices[0];
  if (view.dtype != DType::kInt64 || !view.is_c_contiguous() || !view.is_aligned() || (written && touches(view, *written)))
    return false;
  const int axis = index.axes[0];
  *single = {reinterpret_cast<const int64_t*>(view.data), view.size(), array.shape[axis], array.strides[axis]};
  check_bounds(single->values, single->count, axis, single->extent);
  return true;
}

Offsets::Offsets(const View& source, const AdvancedIndex& index, const View* written) {
  for (const View& view : index.indices) shape_ = join(shape_, view.shape, index);
  for (size_t i = 0; i < index.indices.size(); ++i) {
    const View& view = index.indices[i];
    const bool usable = view.dtype == DType::kInt64 && view.shape == shape_ && view.is_c_contiguous() && view.is_aligned() &&
                        !(written && touches(view, *written));
    Positions positions{Array(), reinterpret_cast<const int64_t*>(view.data), index.axes[i], source.shape[index.axes[i]],
                        source.strides[index.axes[i]]};
    if (!usable) {
      positions.array = astype(broadcast_to(view, shape_), DType::kInt64, CopyOrder::kC);
      positions.values = reinterpret_cast<const int64_t*>(positions.array.data());
    }
    positions_.push_back(std::move(positions));
  }
  for (int64_t extent : shape_) count_ *= extent;
}

void Offsets::compute(int64_t begin, int64_t end, int64_t* offsets) const {
  std::fill_n(offsets, end - begin, 0);
  for (const Positions& positions : positions_) {
    check_bounds(positions.values + begin, end - begin, positions.axis, positions.extent);
    for (int64_t i = begin; i < end; ++i)
      offsets[i - begin] += from_front(positions.values[i], positions.extent) * positions.stride;
  }
}

}  // namespace manycore::evaluate
