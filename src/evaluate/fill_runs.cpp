#include "evaluate/fill_runs.h"

#include <algorithm>
#include <cstring>

#include "kernel/stream.h"
#include "os/topology.h"
#include "sched/parallel.h"

namespace manycore::evaluate {

namespace {

constexpr int64_t kGrain = 256 << 10;  // bytes that a thread fills at a time
constexpr int64_t kBlock = 4096;       // copies of the element, kept in the first-level cache
constexpr int64_t kShortestRun = 64;   // below it the loop over single elements is as good

// As many copies of an element as fit into a block, from any multiple of its size on.
class Pattern {
 public:
  // `bytes`: the longest run that will be asked for.
  Pattern(const std::byte* element, int64_t item_size, int64_t bytes) {
    is_one_byte_ = std::all_of(element, element + item_size, [&](std::byte byte) { return byte == *element; });
    const int64_t used = std::min(kBlock, bytes);
    if (is_one_byte_) {
      std::memset(block_, static_cast<int>(*element), static_cast<size_t>(used));
      return;
    }
    std::memcpy(block_, element, static_cast<size_t>(item_size));
    for (int64_t done = item_size; done < used; done *= 2) {
      std::memcpy(block_ + done, block_, static_cast<size_t>(std::min(done, used - done)));
    }
  }

  void write(std::byte* to, int64_t bytes, bool past_caches) const {
    if (past_caches) {
      for (int64_t done = 0; done < bytes; done += kBlock) kernel::stream_copy(to + done, block_, std::min(kBlock, bytes - done));
    } else if (is_one_byte_) {
      std::memset(to, static_cast<int>(block_[0]), static_cast<size_t>(bytes));
    } else {
      for (int64_t done = 0; done < bytes; done += kBlock)
        std::memcpy(to + done, block_, static_cast<size_t>(std::min(kBlock, bytes - done)));
    }
  }

 private:
  alignas(64) std::byte block_[kBlock];
  bool is_one_byte_;
};

bool exceeds_caches(int64_t bytes) {
  const int64_t threshold = std::max<int64_t>(int64_t{4} << 20, os::topology().l3_bytes / 2);
  return bytes >= threshold;
}

void fill_one_run(std::byte* to, int64_t bytes, const std::byte* element, int64_t item_size, sched::Interrupts interrupts) {
  const Pattern pattern(element, item_size, bytes);
  const bool past_caches = exceeds_caches(bytes);
  const auto body = [&](int64_t begin, int64_t end) {
    pattern.write(to + begin, end - begin, past_caches);
    if (past_caches) kernel::finish_stream();
  };
  sched::parallel_for(bytes, kGrain, body, interrupts);
}

}  // namespace

bool fill_runs(const View& destination, const std::byte* element, sched::Interrupts interrupts) {
  const int64_t size = item_size(destination.dtype);
  if (destination.is_c_contiguous() || destination.is_f_contiguous()) {
    if (destination.nbytes() < kShortestRun) return false;
    fill_one_run(destination.data, destination.nbytes(), element, size, interrupts);
    return true;
  }
  // Rows along the last axis.
  const int last = destination.ndim() - 1;
  const int64_t run = destination.shape[last] * size;
  if (destination.strides[last] != size || run < kShortestRun) return false;
  const Pattern pattern(element, size, run);
  const int64_t rows = destination.size() / destination.shape[last];
  const auto body = [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t rest = row;
      std::byte* to = destination.data;
      for (int axis = last - 1; axis >= 0; --axis) {
        to += rest % destination.shape[axis] * destination.strides[axis];
        rest /= destination.shape[axis];
      }
      pattern.write(to, run, false);
    }
  };
  sched::parallel_for(rows, std::max<int64_t>(1, kGrain / run), body, interrupts);
  return true;
}

}  // namespace manycore::evaluate
