#include "evaluate/index_blocks.h"

namespace manycore::evaluate {

BlockCopy::BlockCopy(std::span<const int64_t> shape, std::span<const int64_t> to_strides, std::span<const int64_t> from_strides,
                     int64_t item_size)
    : item_size_(item_size), run_(item_size), bytes_(item_size) {
  for (size_t i = 0; i < shape.size(); ++i) {
    bytes_ *= shape[i];
    if (shape[i] == 1) continue;
    const int last = shape_.size() - 1;
    const bool merges =
        last >= 0 && to_strides_[last] == to_strides[i] * shape[i] && from_strides_[last] == from_strides[i] * shape[i];
    if (merges) {
      shape_[last] *= shape[i];
      to_strides_[last] = to_strides[i];
      from_strides_[last] = from_strides[i];
    } else {
      shape_.push_back(shape[i]);
      to_strides_.push_back(to_strides[i]);
      from_strides_.push_back(from_strides[i]);
    }
  }
  if (bytes_ > 0 && !shape_.empty() && to_strides_.back() == item_size && from_strides_.back() == item_size) {
    run_ = shape_.back() * item_size;
    const int last = shape_.size() - 1;
    shape_.erase(last);
    to_strides_.erase(last);
    from_strides_.erase(last);
  }
}

template <class T>
void BlockCopy::copy_axis(int axis, std::byte* to, const std::byte* from) const {
  const int64_t extent = shape_[axis];
  const int64_t to_stride = to_strides_[axis];
  const int64_t from_stride = from_strides_[axis];
  if (axis + 1 < shape_.size()) {
    for (int64_t i = 0; i < extent; ++i) copy_axis<T>(axis + 1, to + i * to_stride, from + i * from_stride);
  } else if (run_ == item_size_) {
    for (int64_t i = 0; i < extent; ++i) std::memcpy(to + i * to_stride, from + i * from_stride, sizeof(T));
  } else {
    for (int64_t i = 0; i < extent; ++i) std::memcpy(to + i * to_stride, from + i * from_stride, static_cast<size_t>(run_));
  }
}

void BlockCopy::operator()(std::byte* to, const std::byte* from) const {
  if (bytes_ == 0) return;
  if (shape_.empty()) {
    std::memcpy(to, from, static_cast<size_t>(run_));
    return;
  }
  with_element_of_size(item_size_, [&]<class T>() { copy_axis<T>(0, to, from); });
}

}  // namespace manycore::evaluate
