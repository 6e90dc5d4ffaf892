#include "os/pages.h"

#include <sys/mman.h>

#include "os/cgroup.h"

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

void drop_pages(std::byte* pages, int64_t bytes) { madvise(pages, static_cast<size_t>(bytes), MADV_DONTNEED); }

void let_kernel_take(std::byte* pages, int64_t bytes) {
  static const bool huge_pages = first_line("/sys/kernel/mm/transparent_hugepage/enabled").find("[never]") == std::string::npos;
  if (huge_pages) madvise(pages, static_cast<size_t>(bytes), MADV_FREE);
}

void prefer_huge_pages(std::byte* pages, int64_t bytes) { madvise(pages, static_cast<size_t>(bytes), MADV_HUGEPAGE); }

}  // namespace manycore::os
