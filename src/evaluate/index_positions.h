// Positions along axes as byte offsets: what integer index arrays mean for one array. Negative positions count from the end;
// every position is checked before its offset is given. Immutable once made, so threads may share one.
#pragma once

#include <vector>

#include "evaluate/index.h"

namespace manycore::evaluate {

// Bytes that one chunk of a parallel loop moves at least.
inline constexpr int64_t kChunkBytes = 256 * 1024;

inline int64_t grain_for(int64_t bytes_each) { return std::max<int64_t>(1, kChunkBytes / std::max<int64_t>(1, bytes_each)); }

// Does a view share memory with one that is about to be written?
inline bool touches(const View& view, const View& written) { return overlap(view, written) != Overlap::kNone; }

// From the front, whether the position counts from the front or from the end.
inline int64_t from_front(int64_t position, int64_t extent) { return position + (extent & (position >> 63)); }

// One index array that can be read where it lies: array[positions], the common case, without preparing anything.
struct SingleIndex {
  const int64_t* values;
  int64_t count;
  int64_t extent;
  int64_t stride;

  int64_t offset(int64_t i) const { return from_front(values[i], extent) * stride; }
};

// `written`, here and below: an array that the caller is about to change, from which index arrays must be kept apart; or null.
// Throws for the first position that is out of bounds.
bool is_single(const View& array, const AdvancedIndex& index, const View* written, SingleIndex* single);

// Any number of index arrays, broadcast together.
class Offsets {
 public:
  Offsets(const View& source, const AdvancedIndex& index, const View* written);

  const Dims& shape() const { return shape_; }
  int64_t count() const { return count_; }

  // Byte offsets of index entries [begin, end). Throws for the first that is out of bounds.
  void compute(int64_t begin, int64_t end, int64_t* offsets) const;

 private:
  // One index array, as int64 in C order over the common index shape.
  struct Positions {
    Array array;
    const int64_t* values;
    int axis;
    int64_t extent;
    int64_t stride;
  };

  Dims shape_;
  int64_t count_ = 1;
  std::vector<Positions> positions_;
};

// Entries of an index handled at a time: their offsets live on the stack.
inline constexpr int64_t kBatch = 512;

template <class F>
void in_batches(const Offsets& offsets, int64_t begin, int64_t end, F&& body) {
  int64_t batch[kBatch];
  for (int64_t first = begin; first < end; first += kBatch) {
    const int64_t last = std::min(end, first + kBatch);
    offsets.compute(first, last, batch);
    body(first, last, batch);
  }
}

}  // namespace manycore::evaluate
