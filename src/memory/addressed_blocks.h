// AddressedBlocks: memory of the pool for callers who know a block by its address alone, as malloc's callers do (NumPy's arrays,
// python/bindings/numpy_memory.cpp). Charged to the account like every block of the pool; used pages are kept for the next one.
// Only blocks larger than the pool's small ones: they start on a page, so a look at the address rules out nearly all that are
// not from here. Thread-safe; one mutex of its own, never held while the pool works; usable after fork.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "manycore/buffer.h"
#include "manycore/export.h"
#include "os/pages.h"

namespace manycore::memory {

class MANYCORE_API AddressedBlocks {
 public:
  static AddressedBlocks& instance();

  // At least one byte more than kSmallLimit is taken. Throws ResourceError when the account or the system refuses.
  std::byte* allocate(int64_t nbytes, bool zeroed);
  // A block of `nbytes` that starts with what the old one held, which is gone; null when `address` is not from here. Where it
  // throws ResourceError, the old block stays.
  std::byte* resize(std::byte* address, int64_t nbytes);
  // False, and nothing done, when `address` is not from here.
  bool release(std::byte* address);
  // How many bytes the block at `address` was asked for; -1 when it is not from here.
  int64_t bytes_at(std::byte* address);
  // False where it cannot be from here: a quick look before asking.
  static bool may_hold(const std::byte* address) { return reinterpret_cast<uintptr_t>(address) % os::kPageBytes == 0; }

 private:
  AddressedBlocks();
  Buffer* find(std::byte* address);
  void remember(Buffer* buffer);

  std::mutex mutex_;
  std::unordered_map<std::byte*, Buffer*> blocks_;
};

}  // namespace manycore::memory
