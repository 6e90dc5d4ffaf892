// ScratchSlots: which scratch blocks of a group are taken while its steps are listed. A block is used again as soon as what it
// held has been read for the last time. Internal to interpret/.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "manycore/dtype.h"

namespace manycore::interpret {

class ScratchSlots {
 public:
  // An input of the loop that is to write: where it lies and how far its elements are apart, 0 where it stands still.
  struct Input {
    int slot;
    int64_t bytes;
  };

  int count() const { return static_cast<int>(slots_.size()); }
  int64_t widest() const { return widest_; }  // bytes of the largest element

  int take(DType dtype) { return take_beside({}, dtype); }

  // A free block, but not one that an input of another width lies in: a loop may write exactly where it reads, and nowhere else
  // into its inputs. What is to stay `whole` piles up piece by piece, and is read in the same way: in a block for elements of
  // several widths one would be written where earlier or later pieces of the other lie.
  int take_beside(std::span<const Input> inputs, DType dtype, bool whole = false) {
    const int64_t width = item_size(dtype);
    const auto fits = [&](int slot) {
      const Slot& held = slots_[static_cast<size_t>(slot)];
      if ((whole || held.whole) && held.width != width) return false;
      return std::ranges::none_of(inputs, [&](const Input& input) { return input.slot == slot && input.bytes != width; });
    };
    const int slot = take_fitting(fits, dtype);
    if (whole) slots_[static_cast<size_t>(slot)].whole = true;
    return slot;
  }

  void release(int slot) { free_.push_back(slot); }
  // Its beginning is written by every piece, so nothing may pile up in it.
  void spoil(int slot) { slots_[static_cast<size_t>(slot)].width = 0; }

 private:
  template <class Fits>
  int take_fitting(const Fits& fits, DType dtype) {
    const auto found = std::find_if(free_.rbegin(), free_.rend(), fits);
    widest_ = std::max(widest_, item_size(dtype));
    if (found == free_.rend()) {
      slots_.push_back({item_size(dtype)});
      return count() - 1;
    }
    const int slot = *found;
    free_.erase(std::next(found).base());
    int64_t& width = slots_[static_cast<size_t>(slot)].width;
    if (width != item_size(dtype)) width = 0;
    return slot;
  }

  int64_t widest_ = 1;
  std::vector<int> free_;
  struct Slot {
    int64_t width;       // of the elements that it has held; 0 for several
    bool whole = false;  // something piles up in it, for good
  };
  std::vector<Slot> slots_;
};

}  // namespace manycore::interpret
