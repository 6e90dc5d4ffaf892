// Boolean masks: reading and writing where they are true, and the positions of what is nonzero. Every function counts the true
// elements of fixed chunks first, so that chunks know where their part of the result begins and run in parallel.
#include <vector>

#include "evaluate/assign.h"
#include "evaluate/existing_output.h"
#include "evaluate/index.h"
#include "evaluate/index_blocks.h"
#include "kernel/positions.h"
#include "sched/parallel.h"
#include "trace/counters.h"

namespace manycore::evaluate {

namespace {

// Mask elements of one chunk; fixed, so that results never depend on the number of threads.
constexpr int64_t kChunk = 64 * 1024;

// A mask in C order, and where each chunk's true elements begin in the result.
class ChunkedMask {
 public:
  explicit ChunkedMask(const View& mask) : shape_(mask.shape) {
    const bool usable = mask.dtype == DType::kBool && mask.is_c_contiguous();
    if (!usable) array_ = astype(mask, DType::kBool, CopyOrder::kC);
    bytes_ = reinterpret_cast<const uint8_t*>(usable ? mask.data : array_.data());
    size_ = mask.size();
    const int64_t chunks = (size_ + kChunk - 1) / kChunk;
    starts_.resize(static_cast<size_t>(chunks) + 1);
    sched::parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c)
        starts_[static_cast<size_t>(c) + 1] = kernel::count_true(bytes_ + c * kChunk, length(c));
    });
    for (size_t c = 0; c + 1 < starts_.size(); ++c) starts_[c + 1] += starts_[c];
  }

  int64_t count() const { return starts_.back(); }

  // body(first element, length, place in the result, how many are true) for pieces within one row of the mask, in parallel over chunks.
  template <class F>
  void for_each_piece(F&& body, sched::Interrupts interrupts = sched::Interrupts::kStop) const {
    const int64_t row = shape_.empty() ? 1 : shape_.back();
    sched::parallel_for(
        static_cast<int64_t>(starts_.size()) - 1, 1,
        [&](int64_t begin, int64_t end) {
          for (int64_t c = begin; c < end; ++c) {
            int64_t place = starts_[static_cast<size_t>(c)];
            const int64_t last = c * kChunk + length(c);
            for (int64_t first = c * kChunk; first < last;) {
              const int64_t piece = std::min(last - first, row - first % row);
              const bool is_whole = piece == length(c);
              const int64_t found =
                  is_whole ? starts_[static_cast<size_t>(c) + 1] - place : kernel::count_true(bytes_ + first, piece);
              if (found > 0) body(first, piece, place, found);
              place += found;
              first += piece;
            }
          }
        },
        interrupts);
  }

  const uint8_t* bytes() const { return bytes_; }
  const Dims& shape() const { return shape_; }

 private:
  int64_t length(int64_t chunk) const { return std::min(kChunk, size_ - chunk * kChunk); }

  Array array_;
  Dims shape_;
  const uint8_t* bytes_;
  int64_t size_;
  std::vector<int64_t> starts_;
};

// Byte offset of element number `linear` (C order) over the leading axes of a view.
int64_t offset_of(const View& view, int axes, int64_t linear) {
  int64_t offset = 0;
  for (int axis = axes - 1; axis >= 0; --axis) {
    offset += linear % view.shape[axis] * view.strides[axis];
    linear /= view.shape[axis];
  }
  return offset;
}

// emit(i, k) for every true element i, where k counts the true ones before it. No branch on single elements: half of them would
// be mispredicted.
template <class F>
void for_each_chosen(const uint8_t* chosen, int64_t count, F&& emit) {
  constexpr int64_t kPiece = 4096;  // its positions stay in the first-level cache
  uint32_t positions[kPiece + kernel::kPositionsSlack];
  int64_t k = 0;
  for (int64_t first = 0; first < count; first += kPiece) {
    const int64_t found = kernel::true_positions(chosen + first, std::min(kPiece, count - first), positions);
    for (int64_t j = 0; j < found; ++j) emit(first + positions[j], k + j);
    k += found;
  }
}

void check_shapes(const View& array, const View& mask) {
  bool fits = mask.ndim() <= array.ndim();
  for (int i = 0; fits && i < mask.ndim(); ++i) fits = mask.shape[i] == array.shape[i];
  if (fits) return;
  throw UserError(ErrorKind::kIndex, "boolean index did not match indexed array: array has shape " + shape_text(array.shape) +
                                         " but boolean index has shape " + shape_text(mask.shape));
}

// `value` where chosen, else `kept`, by arithmetic: a branch on a random mask is mispredicted half of the time.
template <class T>
T blend(T kept, T value, bool chosen) {
  if constexpr (std::is_same_v<T, Bytes16>) {
    return {{blend(kept.words[0], value.words[0], chosen), blend(kept.words[1], value.words[1], chosen)}};
  } else {
    const T mask = static_cast<T>(-static_cast<T>(chosen));
    return static_cast<T>((kept & static_cast<T>(~mask)) | (value & mask));
  }
}

// Every element is written, the others with what they hold.
template <class T>
void fill_chosen(T* to, const uint8_t* chosen, int64_t count, T value) {
  for (int64_t i = 0; i < count; ++i) to[i] = blend(to[i], value, chosen[i] != 0);
}

std::span<const int64_t> tail(const Dims& dims, int from) {
  return std::span<const int64_t>(dims).subspan(static_cast<size_t>(from));
}

}  // namespace

Array select(const View& source, const View& mask) {
  const trace::NativeTime time;
  check_shapes(source, mask);
  const ChunkedMask chunked(mask);
  const int axes = mask.ndim();
  Dims shape{chunked.count()};
  for (int64_t extent : tail(source.shape, axes)) shape.push_back(extent);
  const Array result = Array::empty(shape, source.dtype);
  trace::count_native(mask.nbytes() + 2 * result.nbytes());
  const BlockCopy block(tail(source.shape, axes), tail(result.strides(), 1), tail(source.strides, axes), item_size(source.dtype));
  const int64_t step = axes > 0 ? source.strides[axes - 1] : 0;
  const int64_t size = block.bytes();
  if (size == item_size(source.dtype)) {
    with_element_of_size(size, [&]<class T>() {
      chunked.for_each_piece([&](int64_t first, int64_t count, int64_t place, int64_t) {
        const std::byte* from = source.data + offset_of(source, axes, first);
        T* to = reinterpret_cast<T*>(result.data()) + place;
        for_each_chosen(chunked.bytes() + first, count, [=](int64_t i, int64_t k) { to[k] = load<T>(from + i * step); });
      });
    });
    return result;
  }
  chunked.for_each_piece([&](int64_t first, int64_t count, int64_t place, int64_t found) {
    const std::byte* from = source.data + offset_of(source, axes, first);
    for (int64_t i = 0; i < count; ++i) {
      if (chunked.bytes()[first + i]) block(result.data() + place++ * size, from + i * step);
    }
  });
  return result;
}

void assign_selected(const View& destination, const View& mask, const View& given, unsigned* status) {
  const trace::NativeTime time;
  check_shapes(destination, mask);
  check_existing_output(destination);
  const bool mask_is_written = overlap(mask, destination) != Overlap::kNone;
  const Array kept_mask = mask_is_written ? copy(mask, CopyOrder::kC) : Array();
  const ChunkedMask chunked(mask_is_written ? kept_mask.view() : mask);
  const int axes = mask.ndim();
  Dims shape{chunked.count()};
  for (int64_t extent : tail(destination.shape, axes)) shape.push_back(extent);
  Array converted;
  View values = given;
  if (given.dtype != destination.dtype) {
    converted = astype(given, destination.dtype, CopyOrder::kK, status);
    values = converted.view();
  } else if (overlap(given, destination) != Overlap::kNone) {
    converted = copy(given);
    values = converted.view();
  }
  while (values.ndim() > shape.size() && values.shape[0] == 1) {
    values.shape.erase(0);
    values.strides.erase(0);
  }
  values = broadcast_to(values, shape);
  const BlockCopy block(tail(destination.shape, axes), tail(destination.strides, axes), tail(values.strides, 1),
                        item_size(destination.dtype));
  trace::count_native(mask.nbytes() + chunked.count() * block.bytes() * 2);
  const int64_t step = axes > 0 ? destination.strides[axes - 1] : 0;
  const int64_t stride = values.strides[0];
  with_element_of_size(item_size(destination.dtype), [&]<class T>() {
    const bool single = block.bytes() == sizeof(T);
    chunked.for_each_piece(
        [&](int64_t first, int64_t count, int64_t place, int64_t found) {
          std::byte* to = destination.data + offset_of(destination, axes, first);
          const std::byte* from = values.data + place * stride;
          const uint8_t* chosen = chunked.bytes() + first;
          if (single && step == static_cast<int64_t>(sizeof(T)) && stride == 0 && found > count / 8) {
            fill_chosen(reinterpret_cast<T*>(to), chosen, count, load<T>(from));
          } else if (single) {
            for_each_chosen(chosen, count, [=](int64_t i, int64_t k) { store<T>(to + i * step, load<T>(from + k * stride)); });
          } else {
            for (int64_t i = 0; i < count; ++i) {
              if (!chosen[i]) continue;
              block(to + i * step, from);
              from += stride;
            }
          }
        },
        sched::Interrupts::kFinish);  // nobody sees half of an update
  });
}

std::vector<Array> nonzero(const View& input) {
  const trace::NativeTime time;
  const ChunkedMask chunked(input);
  std::vector<Array> positions;
  for (int axis = 0; axis < input.ndim(); ++axis) positions.push_back(Array::empty(Dims{chunked.count()}, DType::kInt64));
  trace::count_native(input.nbytes() + 8 * input.ndim() * chunked.count());
  const int last = input.ndim() - 1;
  if (last < 0) return positions;
  chunked.for_each_piece([&](int64_t first, int64_t count, int64_t place, int64_t found) {
    const int64_t row = input.shape[last];
    auto* columns = reinterpret_cast<int64_t*>(positions[static_cast<size_t>(last)].data()) + place;
    const int64_t column = first % row;
    for_each_chosen(chunked.bytes() + first, count, [=](int64_t i, int64_t k) { columns[k] = column + i; });
    int64_t above = first / row;
    for (int axis = last - 1; axis >= 0; --axis) {
      std::fill_n(reinterpret_cast<int64_t*>(positions[static_cast<size_t>(axis)].data()) + place, found,
                  above % input.shape[axis]);
      above /= input.shape[axis];
    }
  });
  return positions;
}

}  // namespace manycore::evaluate
