// Reading and writing by integer arrays. Positions become byte offsets from the array's first element, checked against the
// bounds; below them stands a block that is copied (index_blocks.h).
#include "evaluate/index.h"

#include "evaluate/assign.h"
#include "evaluate/existing_output.h"
#include "evaluate/index_blocks.h"
#include "evaluate/index_positions.h"
#include "sched/parallel.h"
#include "trace/counters.h"

namespace manycore::evaluate {

namespace {

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
  const bool is_one_value =
      std::all_of(one_block.strides.begin(), one_block.strides.end(), [](int64_t stride) { return stride == 0; });
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

void gather_single(const std::byte* source, const SingleIndex& index, const BlockCopy& block, int64_t item_size,
                   std::byte* result) {
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

void scatter_single(std::byte* destination, const SingleIndex& index, const BlockCopy& block, const Values& values,
                    int64_t item_size) {
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
  const trace::NativeTime time;
  SingleIndex single;
  if (index.result_axis == 0 && is_single(source, index, nullptr, &single)) {
    const Block block(source, index.axes);
    const Array result = Array::empty(joined(index.indices[0].shape, block.shape), source.dtype);
    trace::count_native(2 * result.nbytes());
    const int64_t size = item_size(source.dtype);
    gather_single(source.data, single, BlockCopy(block.shape, c_strides(block.shape, size), block.strides, size), size,
                  result.data());
    return result;
  }
  const Offsets offsets(source, index, nullptr);
  const Block block(source, index.axes);
  const Array result = Array::empty(joined(offsets.shape(), block.shape), source.dtype);
  const BlockCopy copy_block(block.shape, c_strides(block.shape, item_size(source.dtype)), block.strides,
                             item_size(source.dtype));
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
  check_existing_output(destination);
  const trace::NativeTime time;
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
        for (int64_t i = first; i < last; ++i)
          std::memcpy(destination.data + at[i - first], values.data + i * values.stride, sizeof(T));
      });
    });
    return;
  }
  in_batches(offsets, 0, offsets.count(), [&](int64_t first, int64_t last, const int64_t* at) {
    for (int64_t i = first; i < last; ++i) copy_block(destination.data + at[i - first], values.data + i * values.stride);
  });
}

Array take(const View& source, const View& indices, int axis) {
  const int axes[] = {axis};
  const View views[] = {indices};
  if (axis == 0) return gather(source, {views, axes, 0});
  const Array gathered = gather(source, {views, axes, axis});
  return copy(gathered.view(), CopyOrder::kC);  // numpy.take gives C order
}

}  // namespace manycore::evaluate
