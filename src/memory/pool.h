// Pool: where Buffers come from. It keeps used pages, because a fresh mapping costs a page fault per page (80 MB: 30 ms in
// small pages, 5 ms in huge ones, against 2 ms to write used ones).
//   small  (<= 32 KiB)  header and bytes in one block; lists per thread, no lock; batches move to and from a shared list
//   medium (< 4 MiB)    cut from regions; free ones in one shared list per size class
//   large               own mapping, aligned to and backed by huge pages; free ones in the same lists. Where none is of the size
//                       asked, the pages of free ones are moved into a new mapping before the system is asked for more
// Free medium and large blocks stay charged to the account and go first: when the account is near its cap, when the system runs
// short, or when they pass a quarter of the cap; before a request is refused, what others keep goes too (keepers.h). Thread-safe; one mutex, never held while user code runs; usable after fork.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "manycore/buffer.h"
#include "memory/account.h"

namespace manycore::memory {

inline constexpr int64_t kSmallLimit = 32 << 10;
inline constexpr int64_t kMediumLimit = (4 << 20) - 1;

struct PoolStatistics {
  int64_t cached_bytes;   // free medium and large blocks, ready for use
  int64_t fresh_blocks;   // medium and large blocks that needed new pages
  int64_t reused_blocks;  // those that did not
  int64_t moved_bytes;    // pages of free blocks that fresh ones were made of
};

class MANYCORE_API Pool {
 public:
  static Pool& instance();

  Buffer* allocate(int64_t nbytes) { return nbytes <= kSmallLimit ? allocate_small(nbytes) : allocate_big(nbytes, false); }
  Buffer* allocate_zeroed(int64_t nbytes);
  Buffer* allocate_foreign(std::byte* data, int64_t nbytes, bool writeable, Buffer::Foreign* foreign);
  Buffer* allocate_promised(std::byte* address, int64_t nbytes);
  void provide(Buffer* promised);  // gives it memory
  void release(Buffer* buffer);
  // Another size for a medium or large block that nobody else looks at, where its size class has room for it and most of it stays
  // in use; else false, with nothing done.
  bool resize_in_place(Buffer* buffer, int64_t nbytes);

  // Charges the account for memory from elsewhere, cached blocks going first; throws ResourceError for the `nbytes` asked.
  void charge(int64_t nbytes, int64_t charge);

  // Give at least `bytes` of cached blocks back to the system, the least recently used sizes first; returns what it gave.
  int64_t trim(int64_t bytes);
  PoolStatistics statistics();

  // Size classes, public for the tests: 33 small ones by the bytes they hold, then eight per doubling.
  static int small_class(int64_t nbytes);
  static int64_t small_class_bytes(int size_class);
  static int big_class(int64_t nbytes);
  static int64_t big_class_bytes(int size_class);

 private:
  friend struct ThreadCacheOwner;
  static constexpr int kSmallClasses = 33;
  static constexpr int kBigClasses = 8 * 48;
  static constexpr int64_t kHeaderBytes = 64;
  static constexpr int64_t kRegionBytes = 32 << 20;  // slabs of small blocks and medium blocks are cut from regions

  static constexpr int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

  struct ThreadCache {
    std::array<Buffer*, kSmallClasses> free{};
    std::array<int32_t, kSmallClasses> count{};
  };
  struct Bin {
    Buffer* free = nullptr;  // pages in place, charged
    Buffer* cold = nullptr;  // medium only: address range kept, pages given back, not charged
    uint64_t last_use = 0;
  };

  Pool();
  static ThreadCache* thread_cache();
  static int32_t cache_capacity(int size_class);

  Buffer* allocate_small(int64_t nbytes);
  Buffer* refill(ThreadCache* cache, int size_class);
  Buffer* try_refill(ThreadCache* cache, int size_class);
  Buffer* carve_small(int size_class, int32_t wanted);
  void release_small(Buffer* buffer);
  void drain(ThreadCache* cache, int size_class, int32_t keep);

  Buffer* allocate_big(int64_t nbytes, bool zeroed);
  Buffer* try_big(int64_t nbytes, bool zeroed);
  Buffer* reuse_big(int size_class, int64_t charge);
  Buffer* fresh_big(int size_class, int64_t nbytes, int64_t charge, bool zeroed);
  std::byte* fresh_large(int64_t nbytes, int64_t bytes, int64_t charge, int64_t* used);
  std::byte* map_large(int64_t bytes);
  bool move_cached_pages(std::byte* to, int64_t mapped, int64_t charge, int64_t* moved);
  void keep_rest(Buffer* source, int64_t left);
  void release_big(Buffer* buffer);
  void put_in_bin(Buffer* buffer);
  void give_back(Buffer* buffer);
  void retire_header(Buffer* buffer);

  void charge_or_fail(int64_t nbytes, int64_t charge, int64_t own = 0);
  std::byte* carve_region(int64_t bytes);
  Buffer* take_oldest(bool large);
  int64_t trim_locked(int64_t bytes);

  std::mutex mutex_;
  std::array<Buffer*, kSmallClasses> shared_{};
  std::array<Bin, kBigClasses> bins_{};
  std::byte* region_ = nullptr;
  std::byte* region_end_ = nullptr;
  int64_t cached_bytes_ = 0;
  uint64_t uses_ = 0;
  int64_t fresh_blocks_ = 0;
  int64_t reused_blocks_ = 0;
  int64_t moved_bytes_ = 0;
  bool may_move_ = true;  // until the system refuses once
};

}  // namespace manycore::memory
