#include "worker/huge_blocks.h"

#include <algorithm>
#include <cstring>

#include "os/clock.h"
#include "os/pages.h"

namespace manycore::worker {
namespace {

// Free huge pages may be memory that a virtual machine's host has taken back and gives anew page by page (2 MiB: 4.6 ms instead of
// 0.1), or have to be put together first. Small ones take 1 ms then too, for there are some about that were just used.
constexpr int64_t kInSmallPages = 1'000'000;  // nanoseconds, for 2 MiB
constexpr int64_t kMostLost = 3'000'000;      // by trying: one that is slow ends it

// A range without any page is taken to have been cut off by others. The last byte, so that the file is long enough.
bool make_one(os::MemoryFile& file, int64_t offset, std::byte* mapped, const std::byte* data) {
  constexpr int64_t kLast = os::kHugePageBytes - 1;
  return file.write(offset + kLast, data + kLast, 1) && os::make_huge_pages(mapped, os::kHugePageBytes);
}

}  // namespace

int64_t write_in_huge_pages(os::MemoryFile& file, int64_t offset, std::byte* mapped, const void* data, int64_t bytes) {
  const auto* from = static_cast<const std::byte*>(data);
  int64_t lost = 0;
  int64_t done = 0;
  while (bytes - done >= os::kHugePageBytes && lost <= kMostLost) {
    const int64_t begin = os::now_nanoseconds();
    if (!make_one(file, offset + done, mapped + done, from + done)) break;
    lost += std::max<int64_t>(os::now_nanoseconds() - begin - kInSmallPages, 0);
    std::memcpy(mapped + done, from + done, static_cast<size_t>(os::kHugePageBytes));
    done += os::kHugePageBytes;
  }
  return done;
}

}  // namespace manycore::worker
