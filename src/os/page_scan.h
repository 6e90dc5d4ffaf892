// PAGEMAP_SCAN (Linux 6.7): which pages of this process's memory are of what kind. The kernel's own structures, named here because the
// system's headers may be older.
#pragma once

#include <sys/ioctl.h>

#include <cstdint>

namespace manycore::os {

struct PageScan {
  uint64_t size, flags, start, end, walk_end, regions, region_count, most_pages, inverted, all_of, any_of, returned;
};
struct PageRegion {
  uint64_t start, end, categories;
};
inline constexpr unsigned long kPageScan = _IOWR('f', 16, PageScan);
inline constexpr uint64_t kScanWatchedOnly = 2;  // a flag: an error where pages are not write-protected asynchronously
inline constexpr uint64_t kPageWritten = 2, kPageOfFile = 4, kPagePresent = 8, kPageSwapped = 16;

}  // namespace manycore::os
