#include "os/write_watch.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>

#include "os/page_scan.h"

namespace manycore::os {
namespace {

// Of headers newer than the oldest that this is built with.
constexpr int kUserModeOnly = 1;
constexpr uint64_t kUnpopulatedToo = uint64_t{1} << 13;
constexpr uint64_t kAsync = uint64_t{1} << 15;

struct Descriptors {
  int faults = -1;
  int pagemap = -1;
};

struct Watch {
  uint64_t end, number;
};
using Watches = std::map<uint64_t, Watch>;  // by begin; they do not overlap

std::mutex opening;
std::atomic<bool> opened{false};
Descriptors descriptors;
std::mutex watching;
Watches* watches = new Watches;
uint64_t next_watch = 1;

// The parent's speak of the parent's memory.
void close_in_child() {
  new (&opening) std::mutex;
  new (&watching) std::mutex;
  watches = new Watches;  // the parent's may be half changed
  if (!opened.exchange(false)) return;
  if (descriptors.faults >= 0) close(descriptors.faults);
  if (descriptors.pagemap >= 0) close(descriptors.pagemap);
  descriptors = {};
}

// When the library is loaded, which no fork interrupts.
const int registered = pthread_atfork(nullptr, nullptr, close_in_child);

Descriptors open_both() {
  Descriptors both;
  both.faults = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | kUserModeOnly));
  if (both.faults < 0) return both;
  uffdio_api api{};
  api.api = UFFD_API;
  api.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | kUnpopulatedToo | kAsync;
  if (ioctl(both.faults, UFFDIO_API, &api) == 0) both.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (both.pagemap >= 0) return both;
  close(both.faults);
  return {};
}

const Descriptors& both() {
  if (!opened.load(std::memory_order_acquire)) {
    const std::lock_guard lock(opening);
    if (!opened.load(std::memory_order_relaxed)) {
      if (registered == 0) descriptors = open_both();
      opened.store(true, std::memory_order_release);
    }
  }
  return descriptors;
}

uint64_t number(const std::byte* pages) { return reinterpret_cast<uintptr_t>(pages); }

void end_watches(uint64_t begin, uint64_t end) {
  auto first = watches->upper_bound(begin);
  if (first != watches->begin() && std::prev(first)->second.end > begin) --first;
  auto last = first;
  while (last != watches->end() && last->first < end) ++last;
  watches->erase(first, last);
}

// Is all of it there, watched, without a write and, if asked, of no file?
bool all_clean(const std::byte* pages, int64_t bytes, uint64_t other_categories) {
  const int pagemap = both().pagemap;
  if (pagemap < 0 || bytes <= 0) return false;
  PageRegion region{};
  PageScan scan{};
  scan.size = sizeof scan;
  scan.flags = kScanWatchedOnly;
  scan.start = number(pages);
  scan.end = scan.start + static_cast<uint64_t>(bytes);
  scan.regions = reinterpret_cast<uintptr_t>(&region);
  scan.region_count = 1;
  scan.inverted = scan.all_of = kPageWritten | other_categories;
  scan.any_of = kPagePresent | kPageSwapped;
  scan.returned = kPageWritten;
  return ioctl(pagemap, kPageScan, &scan) >= 0 && region.start == scan.start && region.end == scan.end;
}

}  // namespace

uint64_t watch_writes(const std::byte* pages, int64_t bytes) {
  const int faults = both().faults;
  if (faults < 0 || bytes <= 0) return 0;
  const std::lock_guard lock(watching);
  end_watches(number(pages), number(pages) + static_cast<uint64_t>(bytes));
  const uffdio_range range{number(pages), static_cast<uint64_t>(bytes)};
  uffdio_register registration{};
  registration.range = range;
  registration.mode = UFFDIO_REGISTER_MODE_WP;
  if (ioctl(faults, UFFDIO_REGISTER, &registration) != 0) return 0;
  uffdio_writeprotect protection{};
  protection.range = range;
  protection.mode = UFFDIO_WRITEPROTECT_MODE_WP;
  if (ioctl(faults, UFFDIO_WRITEPROTECT, &protection) != 0) return 0;
  (*watches)[range.start] = Watch{range.start + range.len, next_watch};
  return next_watch++;
}

bool watched_well(const std::byte* pages, int64_t bytes) { return all_clean(pages, bytes, kPageOfFile); }

bool unwritten(const std::byte* pages, int64_t bytes, uint64_t watch) {
  const std::lock_guard lock(watching);
  const auto found = watches->find(number(pages));
  return found != watches->end() && found->second.number == watch &&
         found->second.end == number(pages) + static_cast<uint64_t>(bytes) && all_clean(pages, bytes, 0);
}

void forget_writes(const std::byte* pages, int64_t bytes) {
  if (!opened.load(std::memory_order_acquire) || descriptors.faults < 0 || bytes <= 0) return;  // nothing was ever watched
  const std::lock_guard lock(watching);
  end_watches(number(pages), number(pages) + static_cast<uint64_t>(bytes));
  uffdio_range range{number(pages), static_cast<uint64_t>(bytes)};
  ioctl(descriptors.faults, UFFDIO_UNREGISTER, &range);
}

}  // namespace manycore::os
