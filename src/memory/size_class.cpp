// The sizes that the pool deals in: requests are rounded up, so that a freed block fits the next request of about its size.
#include <algorithm>
#include <bit>

#include "memory/pool.h"
#include "os/pages.h"

namespace manycore::memory {
namespace {

int floor_log2(int64_t value) { return 63 - std::countl_zero(static_cast<uint64_t>(value)); }

}  // namespace

int Pool::small_class(int64_t nbytes) {
  if (nbytes <= 512) return static_cast<int>((nbytes + 63) >> 6);
  int log = std::max(9, floor_log2(nbytes - 1));
  return 9 + (log - 9) * 4 + static_cast<int>((nbytes - 1) >> (log - 2)) - 4;
}

int64_t Pool::small_class_bytes(int size_class) {
  if (size_class <= 8) return int64_t{size_class} * 64;
  int step = size_class - 9;
  return int64_t{step % 4 + 5} << (step / 4 + 7);
}

int Pool::big_class(int64_t nbytes) {
  if (nbytes > kMediumLimit) nbytes = (nbytes + os::kHugePageBytes - 1) / os::kHugePageBytes * os::kHugePageBytes;
  int log = std::max(15, floor_log2(nbytes - 1));
  return (log - 15) * 8 + static_cast<int>((nbytes - 1) >> (log - 3)) - 8;
}

int64_t Pool::big_class_bytes(int size_class) { return int64_t{size_class % 8 + 9} << (size_class / 8 + 12); }

}  // namespace manycore::memory
