#include "manycore/array.h"

#include <algorithm>

#include "evaluate/assign.h"
#include "evaluate/record.h"

namespace manycore {
namespace {

Buffer* allocate(int64_t nbytes, bool zeroed) { return zeroed ? Buffer::allocate_zeroed(nbytes) : Buffer::allocate(nbytes); }

// Recorded work holds on to what it reads, so it goes before a request fails.
Buffer* allocate_or_evaluate(int64_t nbytes, bool zeroed) {
  try {
    return allocate(nbytes, zeroed);
  } catch (const ResourceError&) {
    if (!evaluate::gave_back_memory()) throw;
  }
  return allocate(nbytes, zeroed);
}

Array make(const Dims& shape, DType dtype, Order order, bool zeroed) {
  int64_t nbytes = checked_size(shape, item_size(dtype)) * item_size(dtype);
  BufferRef buffer = BufferRef::adopt(allocate_or_evaluate(nbytes, zeroed));
  Dims strides = order == Order::kC ? c_strides(shape, item_size(dtype)) : f_strides(shape, item_size(dtype));
  View view{buffer->data(), dtype, shape, std::move(strides)};
  return Array(std::move(buffer), std::move(view));
}

// NumPy's words for a shape with an unknown extent: a leading one is left out, a later one reads "newaxis".
std::string asked_shape_text(const Dims& shape) {
  std::string text = "(";
  bool first = true;
  for (int64_t extent : shape) {
    if (first && extent < 0) continue;
    text += (first ? "" : ",") + (extent < 0 ? std::string("newaxis") : std::to_string(extent));
    first = false;
  }
  return text + (shape.size() == 1 && !first ? ",)" : ")");
}

// `shape` with its one negative extent replaced by what fits.
Dims resolve_shape(int64_t size, const Dims& shape) {
  Dims resolved = shape;
  int unknown = -1;
  int64_t known = 1;
  bool overflow = false;
  for (int axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] >= 0) {
      overflow = __builtin_mul_overflow(known, shape[axis], &known) || overflow;
      continue;
    }
    if (unknown >= 0) throw UserError(ErrorKind::kValue, "can only specify one unknown dimension");
    unknown = axis;
  }
  bool fits = unknown < 0 ? known == size : known != 0 && size % known == 0;
  if (overflow || !fits)
    throw UserError(ErrorKind::kValue,
                    "cannot reshape array of size " + std::to_string(size) + " into shape " + asked_shape_text(shape));
  if (unknown >= 0) resolved[unknown] = size / known;
  return resolved;
}

}  // namespace

Array Array::empty(const Dims& shape, DType dtype, Order order) { return make(shape, dtype, order, false); }
Array Array::zeros(const Dims& shape, DType dtype, Order order) { return make(shape, dtype, order, true); }

Array Array::wrap(std::byte* data, DType dtype, const Dims& shape, const Dims& strides, std::function<void()> release) {
  checked_size(shape, item_size(dtype));
  if (strides.size() != shape.size())
    throw UserError(ErrorKind::kValue, "wrap: shape and strides differ in length, expected " + std::to_string(shape.size()) +
                                           " strides, got " + std::to_string(strides.size()));
  View view{data, dtype, shape, strides};
  ByteRange range = byte_range(view);
  // The buffer spans what the strides can reach, which with negative strides begins before `data`.
  std::byte* begin = range.begin ? data - (data - range.begin) : data;
  BufferRef buffer = BufferRef::adopt(Buffer::wrap(begin, range.end - range.begin, true, std::move(release)));
  return Array(std::move(buffer), std::move(view));
}

Array Array::slice(int axis, std::optional<int64_t> start, std::optional<int64_t> stop, int64_t step) const {
  if (axis < -ndim() || axis >= ndim())
    throw UserError(ErrorKind::kAxis,
                    "axis " + std::to_string(axis) + " is out of bounds for array of dimension " + std::to_string(ndim()));
  if (step == 0) throw UserError(ErrorKind::kValue, "slice step cannot be zero");
  if (axis < 0) axis += ndim();
  int64_t extent = shape()[axis];
  int64_t lowest = step > 0 ? 0 : -1;
  int64_t highest = step > 0 ? extent : extent - 1;
  auto resolve = [&](std::optional<int64_t> position, int64_t fallback) {
    if (!position) return fallback;
    return std::clamp(*position < 0 ? *position + extent : *position, lowest, highest);
  };
  int64_t first = resolve(start, step > 0 ? lowest : highest);
  int64_t last = resolve(stop, step > 0 ? highest : lowest);
  // Unsigned, because the distance over a step near the ends of int64 may not fit.
  uint64_t distance = step > 0 ? static_cast<uint64_t>(last) - static_cast<uint64_t>(first)
                               : static_cast<uint64_t>(first) - static_cast<uint64_t>(last);
  uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : 0 - static_cast<uint64_t>(step);
  bool empty = step > 0 ? last <= first : first <= last;
  int64_t count = empty ? 0 : static_cast<int64_t>((distance - 1) / stride + 1);
  return with_view(manycore::slice(view_, axis, first, count, step));
}

Array Array::transpose(const Dims& permutation) const { return with_view(manycore::transpose(view_, permutation)); }

Array Array::transpose() const {
  Dims reversed(ndim());
  for (int axis = 0; axis < ndim(); ++axis) reversed[axis] = ndim() - 1 - axis;
  return transpose(reversed);
}

Array Array::broadcast_to(const Dims& shape) const { return with_view(manycore::broadcast_to(view_, shape)); }

Array Array::reshape(const Dims& shape) const {
  Dims resolved = resolve_shape(size(), shape);
  View result;
  if (try_reshape(view_, resolved, false, &result)) return with_view(std::move(result));
  return copy(Order::kC).reshape(resolved);
}

Array Array::copy(Order order) const {
  return evaluate::copy(view_to_read(), order == Order::kC ? evaluate::CopyOrder::kC : evaluate::CopyOrder::kF);
}

Array Array::astype(DType dtype, Casting casting) const {
  if (!can_cast(view_.dtype, dtype, casting))
    throw UserError(ErrorKind::kCasting, std::string("Cannot cast array data from dtype('") + name_of(view_.dtype) +
                                             "') to dtype('" + name_of(dtype) + "') according to the rule '" + name_of(casting) +
                                             "'");
  return evaluate::astype(view_to_read(), dtype);
}

namespace detail {

void fail_elements(const View& view, DType asked) {
  if (view.dtype != asked)
    throw UserError(ErrorKind::kType, std::string("elements: dtype differs, expected ") + name_of(asked) + ", got " +
                                          name_of(view.dtype) + "; try astype");
  throw UserError(ErrorKind::kValue, "elements: expected a C-contiguous array with as many elements as given, got shape " +
                                         shape_text(view.shape) + "; try copy");
}

}  // namespace detail
}  // namespace manycore
