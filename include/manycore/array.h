// Array: an n-dimensional array with NumPy's semantics - a View plus a shared reference to the buffer behind it.
// Copying an Array copies the reference, never the elements; slices, transposes and broadcasts share memory.
// Distinct Arrays may be used from distinct threads; two threads writing one buffer is a data race as in NumPy.
// Large operations may be recorded instead of run. Whatever reads or hands out elements (data, view, elements) first
// finishes the recorded work that touches the buffer, and so may throw ResourceError or Interrupted; shape, dtype and
// strides, and making views of views, never do.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "manycore/buffer.h"
#include "manycore/errors.h"
#include "manycore/scalar.h"
#include "manycore/view.h"

namespace manycore {

enum class Order : uint8_t { kC, kF };

class MANYCORE_API Array {
 public:
  Array() = default;
  Array(BufferRef buffer, View&& view) : buffer_(std::move(buffer)), view_(std::move(view)) {}
  Array(BufferRef buffer, const View& view) : buffer_(std::move(buffer)), view_(view) {}

  // New memory. Throws UserError(kValue) for negative or too large shapes, ResourceError when the memory account is full.
  static Array empty(const Dims& shape, DType dtype, Order order = Order::kC);
  static Array zeros(const Dims& shape, DType dtype, Order order = Order::kC);
  // Elements of C++ type T, copied.
  template <class T>
  static Array from(std::span<const T> values, const Dims& shape);
  // Memory of somebody else; `release` runs when the last array over it goes.
  static Array wrap(std::byte* data, DType dtype, const Dims& shape, const Dims& strides, std::function<void()> release);

  DType dtype() const { return view_.dtype; }
  int ndim() const { return view_.ndim(); }
  const Dims& shape() const { return view_.shape; }
  const Dims& strides() const { return view_.strides; }  // bytes
  int64_t size() const { return view_.size(); }
  int64_t nbytes() const { return view_.nbytes(); }
  std::byte* data() const { return view().data; }
  const View& view() const {
    settle(Buffer::kReads | Buffer::kWrites);
    return view_;
  }
  // For a caller that only reads: recorded work that only reads the buffer too may stay recorded.
  const View& view_to_read() const {
    settle(Buffer::kWrites);
    return view_;
  }
  // Without finishing anything: the address may have no memory behind it yet.
  const View& described() const {
    if (__builtin_expect(Buffer::is_promised(view_.data), 0)) view_.data = buffer_->resolve(view_.data);
    return view_;
  }
  bool is_pending() const { return buffer_ && buffer_->pending() != 0; }
  const BufferRef& buffer() const { return buffer_; }
  bool is_c_contiguous() const { return view_.is_c_contiguous(); }

  // The elements as T; throws UserError(kType) when the dtype is another one, kValue when not C-contiguous.
  template <class T>
  std::span<T> elements() const;

  // Views; errors are NumPy's. Slicing follows Python: negative positions count from the end, bounds are clipped.
  Array slice(int axis, std::optional<int64_t> start, std::optional<int64_t> stop, int64_t step = 1) const;
  Array transpose(const Dims& permutation) const;
  Array transpose() const;
  Array broadcast_to(const Dims& shape) const;
  Array reshape(const Dims& shape) const;  // a view where one exists, else a copy; one extent may be -1
  Array with_view(View view) const { return Array(buffer_, std::move(view)); }

  Array copy(Order order = Order::kC) const;
  Array astype(DType dtype, Casting casting = Casting::kUnsafe) const;

 private:
  void settle(uintptr_t kinds) const {
    if (!buffer_) return;
    if (__builtin_expect((buffer_->pending() & kinds) != 0 || Buffer::is_promised(view_.data), 0)) finish(kinds);
  }
  void finish(uintptr_t kinds) const;

  BufferRef buffer_;
  mutable View view_;  // its address is replaced when a promised buffer gets memory
};

namespace detail {
template <class T>
struct DTypeOf;
#define MANYCORE_DTYPE_OF(type, name)           \
  template <>                                   \
  struct DTypeOf<type> {                        \
    static constexpr DType value = DType::name; \
  }
MANYCORE_DTYPE_OF(bool, kBool);
MANYCORE_DTYPE_OF(int8_t, kInt8);
MANYCORE_DTYPE_OF(int16_t, kInt16);
MANYCORE_DTYPE_OF(int32_t, kInt32);
MANYCORE_DTYPE_OF(int64_t, kInt64);
MANYCORE_DTYPE_OF(uint8_t, kUInt8);
MANYCORE_DTYPE_OF(uint16_t, kUInt16);
MANYCORE_DTYPE_OF(uint32_t, kUInt32);
MANYCORE_DTYPE_OF(uint64_t, kUInt64);
MANYCORE_DTYPE_OF(Half, kFloat16);
MANYCORE_DTYPE_OF(float, kFloat32);
MANYCORE_DTYPE_OF(double, kFloat64);
MANYCORE_DTYPE_OF(std::complex<float>, kComplex64);
MANYCORE_DTYPE_OF(std::complex<double>, kComplex128);
#undef MANYCORE_DTYPE_OF
[[noreturn]] MANYCORE_API void fail_elements(const View& view, DType asked);
}  // namespace detail

template <class T>
inline constexpr DType dtype_of = detail::DTypeOf<T>::value;

template <class T>
Array Array::from(std::span<const T> values, const Dims& shape) {
  Array array = empty(shape, dtype_of<T>);
  if (static_cast<int64_t>(values.size()) != array.size()) detail::fail_elements(array.view(), dtype_of<T>);
  if (!values.empty()) std::memcpy(array.data(), values.data(), values.size_bytes());
  return array;
}

template <class T>
std::span<T> Array::elements() const {
  if (dtype() != dtype_of<T> || !is_c_contiguous()) detail::fail_elements(view_, dtype_of<T>);
  return {reinterpret_cast<T*>(data()), static_cast<size_t>(size())};
}

}  // namespace manycore
