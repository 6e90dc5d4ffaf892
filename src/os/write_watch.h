// Was memory written since? The kernel knows page by page, where it can write-protect without telling anybody (userfaultfd with
// WP_ASYNC, asked with PAGEMAP_SCAN; Linux 6.7 and the permission): watching costs its owner one quick fault for each page written.
// Only private anonymous memory is watched, and whole pages of it. Memory that was unmapped, mapped anew, moved, dropped or never
// watched counts as written, and everything does in a child of fork. What no page table sees is not seen: a device that writes into
// pages which it held before watching began. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "manycore/export.h"

namespace manycore::os {

// Watches from this moment on: look at the contents after it, not before. Answers the watch's number, or 0 where the system cannot, or
// for other memory. Ends every watch of memory that overlaps: the kernel has one mark a page, and this one has taken it.
MANYCORE_API uint64_t watch_writes(const std::byte* pages, int64_t bytes);
// True where all of it is private anonymous memory that is watched and nothing was written. Slower than `unwritten`; asked once.
MANYCORE_API bool watched_well(const std::byte* pages, int64_t bytes);
// True where that watch goes on and nothing was written since it began (64 MiB: 70 us).
MANYCORE_API bool unwritten(const std::byte* pages, int64_t bytes, uint64_t watch);
// Writes cost nothing any more.
MANYCORE_API void forget_writes(const std::byte* pages, int64_t bytes);

}  // namespace manycore::os
