// Reading and writing by integer arrays. Positions become byte offsets from the array's first element, checked against the
// bounds; below them stands a block that is copied (index_blocks.h).
#include "evaluate/index.h"

#include <string>
#include <vector>

#include "evaluate/assign.h"
#include "evaluate/index_blocks.h"
#include "sched/parallel.h"
#include "trace/counters.h"

namespace manycore::evaluate {

namespace {

// Bytes that one chunk of a parallel loop moves at least.
constexpr int64_t kChunkBytes = 256 * 1024;

int64_t grain_for(int64_t bytes_each) { return std::max<int64_t>(1, kChunkBytes / std::max<int64_t>(1, bytes_each)); }

[[noreturn]] void fail_bounds(int64_t position, int axis, int64_t extent) {
  throw UserError(ErrorKind::kIndex, "index " + std::to_string(position) + " is out of bounds for axis " + std::to_string(axis) +
                                         " with size " + std::to_string(extent));
}

// One index array, as int64 in C order over the common index shape.
struct Positions {
  Array array;
  const int64_t* values;
  int axis;
  int64_t extent;
  int64_t stride;
};

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

// From the front, whether the position counts from the front or from the end.
int64_t from_front(int64_t position, int64_t extent) { return position + (extent & (position >> 63)); }

bool touches(const View& view, const View& written) { return overlap(view, written) != Overlap::kNone; }

class Offsets {
 public:
  // `written`: an array that the caller is about to change, from which index arrays must be kept apart; or null.
  Offsets(const View& source, const AdvancedIndex& index, const View* written) {
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
    count_ = 1;
    for (int64_t extent : shape_) count_ *= extent;
  }

  const Dims& shape() const { return shape_; }
  int64_t count() const { return count_; }

  // Byte offsets of index entries [begin, end). Throws for the first that is out of bounds.
  void compute(int64_t begin, int64_t end, int64_t* offsets) const {
    std::fill_n(offsets, end - begin, 0);
    for (const Positions& positions : positions_) {
      check_bounds(positions.values + begin, end - begin, positions.axis, positions.extent);
      for (int64_t i = begin; i < end; ++i) offsets[i - begin] += from_front(positions.values[i], positions.extent) * positions.stride;
    }
  }

 private:
  static Dims join(const Dims& a, const Dims& b, const AdvancedIndex& index) {
    try {
      return broadcast_shapes(a, b);
    } catch (const UserError&) {
      std::string shapes;
      for (const View& view : index.indices) shapes += " " + shape_text(view.shape);
      throw UserError(ErrorKind::kIndex, "shape mismatch: indexing arrays could not be broadcast together with shapes" + shapes);
    }
  }

  Dims shape_;
  int64_t count_ = 0;
  std::vector<Positions> positions_;
};

// The axes that no index takes, in order: shape and strides of the block below one index entry.
struct Block {
  Dims shape;
  Dims strides;
  Block(const View& view, std::span<const int> indexed) {
    for (int axis = 0; axis < view.ndim(); ++axis) {
      if (std::find(indexed.begin(), indexed.end(), axis) != indexed.end()) continue;
      shape.push_back(view.shape[axis]);
      strides.push_back(view.strides[axis]);
    }
  }
};

Dims joined(const Dims& first, const Dims& second) {
  Dims all = first;
  for (int64_t extent : second) all.push_back(extent);
  return all;
}

// The order that brings dimensions [0, index_dims) to `place`.
Dims order_with_index_at(int place, int index_dims, int ndim) {
  Dims order;
  for (int i = 0; i < place; ++i) order.push_back(index_dims + i);
  for (int i = 0; i < index_dims; ++i) order.push_back(i);
  for (int i = index_dims + place; i < ndim; ++i) order.push_back(i);
  return order;
}

// Entries of the index handled at a time: their offsets live on the stack.
constexpr int64_t kBatch = 512;

template <class F>
void in_batches(const Offsets& offsets, int64_t begin, int64_t end, F&& body) {
  int64_t batch[kBatch];
  for (int64_t first = begin; first < end; first += kBatch) {
    const int64_t last = std::min(end, first + kBatch);
    offsets.compute(first, last, batch);
    body(first, last, batch);
  }
}

void gather_blocks(const std::byte* source, const Offsets& offsets, const BlockCopy& block, std::byte* result) {
  const int64_t size = block.bytes();
  sched::parallel_for(offsets.count(), grain_for(size), [&](int64_t begin, int64_t end) {
    in_batches(offsets, begin, end, [&](int64_t first, int64_t last, const int64_t* at) {
      for (int64_t i = first; i < last; ++i) block(result + i * size, source + at[i - first]);
    });
  });
}

void gather_elements(const std::byte* source, const Offsets& offsets, int64_t item_size, std::byte* result) {
  with_element_of_size(item_size, [&]<class T>() {
    sched::parallel_for(offsets.count(), grain_for(sizeof(T)), [&](int64_t begin, int64_t end) {
      in_batches(offsets, begin, end, [&](int64_t first, int64_t last, const int64_t* at) {
        std::byte* to = result + first * static_cast<int64_t>(sizeof(T));
        for (int64_t i = 0; i < last - first; ++i) {
          std::memcpy(to + i * static_cast<int64_t>(sizeof(T)), source + at[i], sizeof(T));
        }
      });
    });
  });
}

// Values in the destination's dtype, broadcast to (index shape, block), with one stride over all index entries.
struct Values {
  Array array;
  const std::byte* data;
  int64_t stride;
  Dims block_strides;
};

bool has_one_stride(const View& view, int index_dims, int64_t* stride) {
  int64_t expected = 0;
  bool any = false;
  for (int i = index_dims - 1; i >= 0; --i) {
    if (view.shape[i] == 1) continue;
    if (any && view.strides[i] != expected) return false;
    if (!any) *stride = view.strides[i];
    any = true;
    expected = view.strides[i] * view.shape[i];
  }
  if (!any) *stride = 0;
  return true;
}

Values prepare_values(const View& given, const View& destination, const Offsets& offsets, const Block& block, int place,
                      unsigned* status) {
  Values values;
  if (given.ndim() == 0 && given.dtype == destination.dtype && block.shape.empty() && !touches(given, destination)) {
    values.data = given.data;
    values.stride = 0;
    return values;
  }
  View view = given;
  if (given.dtype != destination.dtype) {
    values.array = astype(given, destination.dtype, CopyOrder::kK, status);
    view = values.array.view();
  } else if (touches(given, destination)) {
    values.array = copy(given);
    view = values.array.view();
  }
  const int index_dims = offsets.shape().size();
  Dims shape;  // of the result that the values stand for: the index dimensions at their place
  for (int i = 0; i < place; ++i) shape.push_back(block.shape[i]);
  shape = joined(shape, offsets.shape());
  for (int i = place; i < block.shape.size(); ++i) shape.push_back(block.shape[i]);
  // NumPy drops leading axes of extent 1 that the result does not have.
  while (view.ndim() > shape.size() && view.shape[0] == 1) {
    view.shape.erase(0);
    view.strides.erase(0);
  }
  View stretched = broadcast_to(view, shape);
  Dims index_first;
  for (int i = 0; i < index_dims; ++i) index_first.push_back(place + i);
  for (int i = 0; i < shape.size(); ++i) {
    if (i < place || i >= place + index_dims) index_first.push_back(i);
  }
  stretched = transpose(stretched, index_first);
  if (!has_one_stride(stretched, index_dims, &values.stride)) {
    values.array = copy(stretched, CopyOrder::kC);
    stretched = values.array.view();
    has_one_stride(stretched, index_dims, &values.stride);
  }
  // One value for whole blocks: spread it over one block, so that blocks are copied as runs of bytes.
  const Dims spread_shape(std::span<const int64_t>(stretched.shape).subspan(static_cast<size_t>(index_dims)));
  View one_block{stretched.data, stretched.dtype, spread_shape,
                 Dims(std::span<const int64_t>(stretched.strides).subspan(static_cast<size_t>(index_dims)))};
  const bool is_one_value = std::all_of(one_block.strides.begin(), one_block.strides.end(), [](int64_t stride) { return stride == 0; });
  if (values.stride == 0 && is_one_value && one_block.size() > 1 && one_block.nbytes() <= kChunkBytes) {
    values.array = copy(one_block, CopyOrder::kC);
    values.data = values.array.data();
    values.block_strides = values.array.strides();
    return values;
  }
  values.data = stretched.data;
  values.block_strides = Dims(std::span<const int64_t>(stretched.strides).subspan(static_cast<size_t>(index_dims)));
  return values;
}

// One index array that can be read where it lies: array[positions], the common case, without preparing anything.
struct SingleIndex {
  const int64_t* values;
  int64_t count;
  int64_t extent;
  int64_t stride;

  int64_t offset(int64_t i) const { return from_front(values[i], extent) * stride; }
};

bool is_single(const View& array, const AdvancedIndex& index, const View* written, SingleIndex* single) {
  if (index.indices.size() != 1) return false;
  const View& view = index.indices[0];
  if (view.dtype != DType::kInt64 || !view.is_c_contiguous() || !view.is_aligned() || (written && touches(view, *written))) return false;
  const int axis = index.axes[0];
  *single = {reinterpret_cast<const int64_t*>(view.data), view.size(), array.shape[axis], array.strides[axis]};
  check_bounds(single->values, single->count, axis, single->extent);
  return true;
}

void gather_single(const std::byte* source, const SingleIndex& index, const BlockCopy& block, int64_t item_size, std::byte* result) {
  const int64_t size = block.bytes();
  if (size != item_size) {
    sched::parallel_for(index.count, grain_for(size), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) block(result + i * size, source + index.offset(i));
    });
    return;
  }
  with_element_of_size(item_size, [&]<class T>() {
    sched::parallel_for(index.count, grain_for(sizeof(T)), [&](int64_t begin, int64_t end) {
      const SingleIndex local = index;
      T* to = reinterpret_cast<T*>(result);
      for (int64_t i = begin; i < end; ++i) to[i] = load<T>(source + local.offset(i));
    });
  });
}

void scatter_single(std::byte* destination, const SingleIndex& index, const BlockCopy& block, const Values& values, int64_t item_size) {
  const int64_t size = block.bytes();
  if (size != item_size) {
    for (int64_t i = 0; i < index.count; ++i) block(destination + index.offset(i), values.data + i * values.stride);
    return;
  }
  with_element_of_size(item_size, [&]<class T>() {
    const SingleIndex local = index;
    if (values.stride == 0) {
      const T value = index.count > 0 ? load<T>(values.data) : T{};
      for (int64_t i = 0; i < local.count; ++i) store<T>(destination + local.offset(i), value);
    } else {
      for (int64_t i = 0; i < local.count; ++i) store<T>(destination + local.offset(i), load<T>(values.data + i * values.stride));
    }
  });
}

}  // namespace

Array gather(const View& source, const AdvancedIndex& index) {
  SingleIndex single;
  if (index.result_axis == 0 && is_single(source, index, nullptr, &single)) {
    const Block block(source, index.axes);
    const Array result = Array::empty(joined(index.indices[0].shape, block.shape), source.dtype);
    trace::count_native(2 * result.nbytes());
    const int64_t size = item_size(source.dtype);
    gather_single(source.data, single, BlockCopy(block.shape, c_strides(block.shape, size), block.strides, size), size, result.data());
    return result;
  }
  const Offsets offsets(source, index, nullptr);
  const Block block(source, index.axes);
  const Array result = Array::empty(joined(offsets.shape(), block.shape), source.dtype);
  const BlockCopy copy_block(block.shape, c_strides(block.shape, item_size(source.dtype)), block.strides, item_size(source.dtype));
  trace::count_native(2 * result.nbytes());
  if (copy_block.bytes() == item_size(source.dtype)) {
    gather_elements(source.data, offsets, item_size(source.dtype), result.data());
  } else {
    gather_blocks(source.data, offsets, copy_block, result.data());
  }
  if (index.result_axis == 0) return result;
  return result.transpose(order_with_index_at(index.result_axis, offsets.shape().size(), result.ndim()));
}

void scatter(const View& destination, const AdvancedIndex& index, const View& given, unsigned* status) {
  const Offsets offsets(destination, index, &destination);
  const Block block(destination, index.axes);
  const Values values = prepare_values(given, destination, offsets, block, index.result_axis, status);
  const BlockCopy copy_block(block.shape, block.strides, values.block_strides, item_size(destination.dtype));
  trace::count_native(2 * offsets.count() * copy_block.bytes());
  SingleIndex single;
  if (is_single(destination, index, &destination, &single)) {
    scatter_single(destination.data, single, copy_block, values, item_size(destination.dtype));
    return;
  }
  const auto check = [](int64_t, int64_t, const int64_t*) {};
  in_batches(offsets, 0, offsets.count(), check);  // nothing is written before every position is known to be right
  // In order, on one thread: where a position repeats, its last value wins.
  if (copy_block.bytes() == item_size(destination.dtype)) {
    with_element_of_size(item_size(destination.dtype), [&]<class T>() {
      in_batches(offsets, 0, offsets.count(), [&](int64_t first, int64_t last, const int64_t* at) {
        for (int64_t i = first; i < last; ++i) std::memcpy(destination.data + at[i - first], values.data + i * values.stride, sizeof(T));
      });
    });
    return;
  }
  in_batches(offsets, 0, offsets.count(), [&](int64_t first, int64_t last, const int64_t* at) {
    for (int64_t i = first; i < last; ++i) copy_block(destination.data + at[i - first], values.data + i * values.stride);
  });
}

Array repeat(const View& source, int64_t repeats, int axis) {
  Array kept;
  View view = source;
  if (!view.is_c_contiguous()) {
    kept = copy(source, CopyOrder::kC);
    view = kept.view();
  }
  Dims shape = view.shape;
  shape[axis] *= repeats;
  const Array result = Array::empty(shape, view.dtype);
  trace::count_native(source.nbytes() + result.nbytes());
  int64_t below = item_size(view.dtype);  // bytes that are repeated as one piece
  for (int i = axis + 1; i < view.ndim(); ++i) below *= view.shape[i];
  if (below == 0 || result.size() == 0) return result;
  const int64_t pieces = view.nbytes() / below;
  const bool is_element = below == item_size(view.dtype);
  with_element_of_size(is_element ? below : 1, [&]<class T>() {
    sched::parallel_for(pieces, grain_for(below * repeats), [&](int64_t begin, int64_t end) {
      std::byte* to = result.data() + begin * below * repeats;
      for (int64_t i = begin; i < end; ++i) {
        const std::byte* from = view.data + i * below;
        if (is_element) {
          const T value = load<T>(from);
          for (int64_t k = 0; k < repeats; ++k, to += sizeof(T)) store<T>(to, value);
        } else {
          for (int64_t k = 0; k < repeats; ++k, to += below) std::memcpy(to, from, static_cast<size_t>(below));
        }
      }
    });
  });
  return result;
}

Array take(const View& source, const View& indices, int axis) {
  const int axes[] = {axis};
  const View views[] = {indices};
  if (axis == 0) return gather(source, {views, axes, 0});
  const Array gathered = gather(source, {views, axes, axis});
  return copy(gathered.view(), CopyOrder::kC);  // numpy.take gives C order
}

}  // namespace manycore::evaluate
