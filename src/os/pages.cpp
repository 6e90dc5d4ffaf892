#include "os/pages.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "os/cgroup.h"
#include "os/page_scan.h"

namespace manycore::os {

std::byte* map_pages(int64_t bytes, int64_t alignment) {
  int64_t extra = alignment > kPageBytes ? alignment : 0;
  // NORESERVE: a large request counts against the system's commit limit only as it is touched, as malloc's does by default.
  void* raw = mmap(nullptr, static_cast<size_t>(bytes + extra), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  auto* begin = static_cast<std::byte*>(raw);
  if (extra == 0) return begin;
  auto address = reinterpret_cast<uintptr_t>(begin);
  int64_t front = static_cast<int64_t>((address + static_cast<uintptr_t>(alignment) - 1) / static_cast<uintptr_t>(alignment) *
                                           static_cast<uintptr_t>(alignment) -
                                       address);
  if (front > 0) munmap(begin, static_cast<size_t>(front));
  if (extra > front) munmap(begin + front + bytes, static_cast<size_t>(extra - front));
  return begin + front;
}

void unmap_pages(std::byte* pages, int64_t bytes) { munmap(pages, static_cast<size_t>(bytes)); }

int64_t move_pages(std::byte* from, std::byte* to, int64_t bytes) {
  // One at a time, so that nothing but one is in doubt where the system refuses: before Linux 6.17 what spans two mappings is refused
  // after `to` has gone, since then after the first part was moved.
  constexpr auto kEach = static_cast<size_t>(kHugePageBytes);
  for (int64_t moved = 0; moved < bytes; moved += kHugePageBytes) {
    if (mremap(from + moved, kEach, kEach, MREMAP_MAYMOVE | MREMAP_FIXED, to + moved) == MAP_FAILED) return moved;
  }
  return bytes;
}

void drop_pages(std::byte* pages, int64_t bytes) { madvise(pages, static_cast<size_t>(bytes), MADV_DONTNEED); }

namespace {

std::atomic<int> huge_pages{-1};  // unknown, none, some

bool has_huge_pages() {
  int known = huge_pages.load(std::memory_order_relaxed);
  if (known < 0) {
    known = first_line("/sys/kernel/mm/transparent_hugepage/enabled").find("[never]") == std::string::npos ? 1 : 0;
    huge_pages.store(known, std::memory_order_relaxed);
  }
  return known > 0;
}

}  // namespace

void let_kernel_take(std::byte* pages, int64_t bytes) {
  if (has_huge_pages()) madvise(pages, static_cast<size_t>(bytes), MADV_FREE);
}

void fault_in_for_reading(std::byte* pages, int64_t bytes) {
  constexpr int kPopulateRead = 22;  // MADV_POPULATE_READ, Linux 5.14
  madvise(pages, static_cast<size_t>(bytes), kPopulateRead);
}

void fault_in_for_writing(std::byte* pages, int64_t bytes) {
  constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, Linux 5.14
  madvise(pages, static_cast<size_t>(bytes), kPopulateWrite);
}

namespace {

// The map of this process's pages: opened when it is first asked for, and in a child of fork anew, for the parent's speaks of the
// parent's memory. Nothing here that a child could find locked.
constexpr int kNotOpened = -2;
std::atomic<int> pagemap{kNotOpened};

void forget_in_child() {
  const int parents = pagemap.exchange(kNotOpened);
  if (parents >= 0) close(parents);
}

const bool forgets_in_child = pthread_atfork(nullptr, nullptr, forget_in_child) == 0;

int own_pagemap() {
  int now = pagemap.load(std::memory_order_acquire);
  if (now != kNotOpened || !forgets_in_child) return now;
  const int opened = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap.compare_exchange_strong(now, opened)) return opened;
  if (opened >= 0) close(opened);  // another thread was first
  return now;
}

enum class Dropped { all, failed, unknown };

// Three times as fast as reading the map of the pages; unknown where the system has no such call.
Dropped drop_scanned(int pagemap, std::byte* pages, int64_t bytes) {
  constexpr uint64_t kBatch = 64;
  PageRegion regions[kBatch];
  PageScan scan{};
  scan.size = sizeof scan;
  scan.start = reinterpret_cast<uintptr_t>(pages);
  scan.end = scan.start + static_cast<uint64_t>(bytes);
  scan.regions = reinterpret_cast<uintptr_t>(regions);
  scan.region_count = kBatch;
  scan.inverted = scan.all_of = kPageOfFile;
  scan.any_of = kPagePresent | kPageSwapped;
  scan.returned = kPageOfFile;
  while (scan.start < scan.end) {
    const int found = ioctl(pagemap, kPageScan, &scan);
    if (found < 0) return scan.start == reinterpret_cast<uintptr_t>(pages) ? Dropped::unknown : Dropped::failed;
    for (int i = 0; i < found; ++i)
      drop_pages(reinterpret_cast<std::byte*>(regions[i].start), static_cast<int64_t>(regions[i].end - regions[i].start));
    scan.start = scan.walk_end;
  }
  return Dropped::all;
}

}  // namespace

bool drop_written_pages(std::byte* pages, int64_t bytes) {
  const int own = own_pagemap();
  if (own < 0) return false;
  const Dropped dropped = drop_scanned(own, pages, bytes);
  if (dropped != Dropped::unknown) return dropped == Dropped::all;
  constexpr uint64_t kPresent = uint64_t{1} << 63, kSwapped = uint64_t{1} << 62, kOfFile = uint64_t{1} << 61;
  constexpr int64_t kBatch = 512;
  uint64_t entries[kBatch];
  for (int64_t page = 0, count = bytes / kPageBytes; page < count; page += kBatch) {
    const int64_t now = std::min(kBatch, count - page);
    const auto place = static_cast<off_t>((reinterpret_cast<uintptr_t>(pages) / kPageBytes + static_cast<uint64_t>(page)) * 8);
    if (pread(own, entries, static_cast<size_t>(now) * 8, place) != static_cast<ssize_t>(now * 8)) return false;
    for (int64_t i = 0; i < now;) {
      const auto written = [&](uint64_t entry) { return (entry & (kPresent | kSwapped)) != 0 && (entry & kOfFile) == 0; };
      int64_t end = i;
      while (end < now && written(entries[end])) ++end;
      if (end > i) drop_pages(pages + (page + i) * kPageBytes, (end - i) * kPageBytes);
      i = end + 1;
    }
  }
  return true;
}

bool make_huge_pages(std::byte* pages, int64_t bytes) {
  constexpr int kCollapse = 25;  // MADV_COLLAPSE, Linux 6.1. It asks for no setting, so we do: who wants none at all gets none.
  return has_huge_pages() && madvise(pages, static_cast<size_t>(bytes), kCollapse) == 0;
}

void prefer_huge_pages(std::byte* pages, int64_t bytes) { madvise(pages, static_cast<size_t>(bytes), MADV_HUGEPAGE); }

}  // namespace manycore::os
