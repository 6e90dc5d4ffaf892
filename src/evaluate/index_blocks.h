// What indexing moves at once: the part of an array below the indexed axes, copied between two layouts. Merged into as few
// axes as possible when made, then copied many times. Element type does not matter, only its size. Thread-safe once made.
#pragma once

#include <cstddef>
#include <cstring>

#include "manycore/view.h"

namespace manycore::evaluate {

struct Bytes16 {
  uint64_t words[2];
};

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
void store(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

// body.template operator()<T>() with a T of the given size.
template <class F>
void with_element_of_size(int64_t size, F&& body) {
  switch (size) {
    case 1:
      return body.template operator()<uint8_t>();
    case 2:
      return body.template operator()<uint16_t>();
    case 4:
      return body.template operator()<uint32_t>();
    case 8:
      return body.template operator()<uint64_t>();
    default:
      return body.template operator()<Bytes16>();
  }
}

class BlockCopy {
 public:
  BlockCopy(std::span<const int64_t> shape, std::span<const int64_t> to_strides, std::span<const int64_t> from_strides,
            int64_t item_size);

  int64_t bytes() const { return bytes_; }
  // One element, or one run of bytes on both sides: the caller may copy by itself.
  bool is_single_run() const { return shape_.empty(); }
  void operator()(std::byte* to, const std::byte* from) const;

 private:
  template <class T>
  void copy_axis(int axis, std::byte* to, const std::byte* from) const;

  int64_t item_size_;
  int64_t run_;    // bytes that lie together on both sides
  int64_t bytes_;  // of the whole block
  Dims shape_;
  Dims to_strides_;
  Dims from_strides_;
};

}  // namespace manycore::evaluate
