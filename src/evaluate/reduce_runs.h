// Walking over the loops of a ReduceOrder and reading its runs, gathered and cast into a buffer where needed. Internal to the
// reductions of evaluate/. A RunReader belongs to one thread.
#pragma once

#include <algorithm>
#include <cstring>

#include "evaluate/reduce_fold.h"
#include "manycore/buffer.h"

namespace manycore::evaluate {

struct Offsets {
  int64_t offset[3];  // bytes, per operand
};

// body(offsets) for every index of loops first_loop .. ndim-1, loop first_loop fastest.
template <class F>
void for_each_outer(const ReduceOrder& order, int first_loop, F&& body) {
  int64_t index[kMaxDims];
  for (int i = first_loop; i < order.ndim; ++i) index[i] = 0;
  Offsets at = {{0, 0, 0}};
  while (true) {
    body(at);
    int i = first_loop;
    for (; i < order.ndim; ++i) {
      if (++index[i] < order.shape[i]) {
        for (int k = 0; k < 3; ++k) at.offset[k] += order.stride[k][i];
        break;
      }
      for (int k = 0; k < 3; ++k) at.offset[k] -= order.stride[k][i] * (order.shape[i] - 1);
      index[i] = 0;
    }
    if (i == order.ndim) return;
  }
}

inline Offsets offsets_of(const ReduceOrder& order, int first_loop, int64_t position) {
  Offsets at = {{0, 0, 0}};
  for (int i = first_loop; i < order.ndim; ++i) {
    const int64_t index = position % order.shape[i];
    position /= order.shape[i];
    for (int k = 0; k < 3; ++k) at.offset[k] += index * order.stride[k][i];
  }
  return at;
}

// body(number, out offset) for every result.
template <class F>
void for_each_kept(const ReduceOrder& order, F&& body) {
  int64_t results = 1;
  for (int i = 0; i < order.ndim; ++i) results *= order.stride[0][i] != 0 ? order.shape[i] : 1;
  for (int64_t number = 0; number < results; ++number) {
    int64_t rest = number, offset = 0;
    for (int i = 0; i < order.ndim; ++i) {
      if (order.stride[0][i] == 0) continue;
      offset += rest % order.shape[i] * order.stride[0][i];
      rest /= order.shape[i];
    }
    body(number, offset);
  }
}

struct Run {
  const std::byte* data;
  int64_t stride;
};

class RunReader {
 public:
  explicit RunReader(const Fold& fold) : fold_(fold), order_(fold.order) {}

  // Elements [first, first + count) of the group at `at`, as the loops read them.
  Run values(const Offsets& at, int64_t first, int64_t count) {
    const std::byte* base = fold_.in + at.offset[1];
    if (order_.group == 1) return converted(base + first * order_.stride[1][0], order_.stride[1][0], count);
    gather(base, ReduceOrder::kIn, first, count, [&](const std::byte* from, int64_t stride, int64_t done, int64_t n) {
      convert(from, stride, n, value_buffer() + done * item());
    });
    return {value_buffer(), item()};
  }

  Run mask(const Offsets& at, int64_t first, int64_t count) {
    const std::byte* base = fold_.where + at.offset[2];
    if (order_.group == 1) return {base + first * order_.stride[2][0], order_.stride[2][0]};
    if (!mask_buffer_) mask_buffer_ = BufferRef::adopt(Buffer::allocate(order_.run));
    gather(base, ReduceOrder::kThird, first, count, [&](const std::byte* from, int64_t stride, int64_t done, int64_t n) {
      for (int64_t i = 0; i < n; ++i) mask_buffer_->data()[done + i] = from[i * stride];
    });
    return {mask_buffer_->data(), 1};
  }

  // Elements of loop 0 only.
  Run loop0(const Offsets& at, int64_t first, int64_t count) {
    return converted(fold_.in + at.offset[1] + first * order_.stride[1][0], order_.stride[1][0], count);
  }

 private:
  int64_t item() const { return item_size(fold_.loop_input); }
  std::byte* value_buffer() {
    if (!value_buffer_) value_buffer_ = BufferRef::adopt(Buffer::allocate(std::max(order_.run, kNumpyBuffer) * item()));
    return value_buffer_->data();
  }

  Run converted(const std::byte* from, int64_t stride, int64_t count) {
    if (fold_.cast == nullptr) return {from, stride};
    convert(from, stride, count, value_buffer());
    return {value_buffer(), item()};
  }

  void convert(const std::byte* from, int64_t stride, int64_t n, std::byte* to) {
    if (fold_.cast != nullptr) {
      char* args[2] = {const_cast<char*>(reinterpret_cast<const char*>(from)), reinterpret_cast<char*>(to)};
      const int64_t strides[2] = {stride, item()};
      fold_.cast(args, &n, strides, nullptr);
    } else if (stride == item()) {
      std::memcpy(to, from, static_cast<size_t>(n * item()));
    } else {
      for (int64_t i = 0; i < n; ++i) std::memcpy(to + i * item(), from + i * stride, static_cast<size_t>(item()));
    }
  }

  // Cuts elements [first, first + count) of the group into stretches along loop 0.
  template <class F>
  void gather(const std::byte* base, ReduceOrder::Operand operand, int64_t first, int64_t count, F&& stretch) {
    const int64_t* stride = order_.stride[operand];
    int64_t done = 0;
    while (done < count) {
      const int64_t position = first + done;
      const int64_t inner = position % order_.shape[0];
      int64_t rest = position / order_.shape[0];
      const std::byte* from = base + inner * stride[0];
      for (int i = 1; i < order_.group; ++i) {
        from += rest % order_.shape[i] * stride[i];
        rest /= order_.shape[i];
      }
      const int64_t n = std::min(order_.shape[0] - inner, count - done);
      stretch(from, stride[0], done, n);
      done += n;
    }
  }

  const Fold& fold_;
  const ReduceOrder& order_;
  BufferRef value_buffer_;
  BufferRef mask_buffer_;
};

}  // namespace manycore::evaluate
