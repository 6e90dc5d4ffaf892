// Long file: all kinds of blocks share the mutex, the account and the order in which cached blocks go. Small ones: pool_small.cpp.
#include "memory/pool.h"

#include <cstring>
#include <new>

#include "base/at_fork.h"
#include "base/check.h"
#include "base/lasting.h"
#include "manycore/errors.h"
#include "memory/keepers.h"
#include "memory/poison.h"
#include "os/memory_limit.h"
#include "os/pages.h"
#include "os/write_watch.h"

namespace manycore::memory {
namespace {

// Below, writing zeros over used pages; from here on, fresh zero pages as calloc gives (the C library's largest threshold).
constexpr int64_t kFreshZeroBytes = 32 << 20;
// Cached blocks past this are marked free for the kernel to take back when it must (MADV_FREE: 0.04 ms for 80 MB in huge pages).
constexpr int64_t kHotBytes = 256 << 20;
// New mappings from this size on first look at what the system has left (reading /proc costs 30 us, the faults 1 ms).
constexpr int64_t kLookBytes = 16 << 20;

// Pages are moved while the account holds less: at worst every huge page is a mapping of its own then, half of the 65530 that the
// system allows a process.
constexpr int64_t kMostMappings = 32768;

// A request takes a free block that is at most so many classes larger; eight classes double the bytes.
constexpr int kLargerClasses = 8;

int64_t mapped_bytes(int64_t class_bytes, int64_t charged) { return std::max(class_bytes, charged); }

}  // namespace

Pool& Pool::instance() {
  static constinit base::Lasting<Pool> pool;  // buffers die after static destruction
  return pool.get([] { return new Pool(); });
}

Pool::Pool() {
  // Held across fork, so that the child finds the lists whole.
  base::at_fork(base::ForkStep::kPool,
                {[] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); }, [] { instance().mutex_.unlock(); }});
}

// ---- medium and large blocks

Buffer* Pool::allocate_big(int64_t nbytes, bool zeroed) {
  // 2^62 bytes exceed every machine; beyond, the size classes would overflow.
  if (nbytes > int64_t{1} << 61) Account::arrays().fail("allocate", nbytes, Account::arrays().held());
  return ask_keepers_before_refusing(round_up(nbytes, os::kHugePageBytes), [&] { return try_big(nbytes, zeroed); });
}

Buffer* Pool::try_big(int64_t nbytes, bool zeroed) {
  bool large = nbytes > kMediumLimit;
  int size_class = big_class(nbytes);
  int64_t charge = large ? round_up(nbytes, os::kHugePageBytes) : big_class_bytes(size_class);
  Buffer* buffer = reuse_big(size_class, charge);
  if (buffer) allow(buffer->data_, nbytes);
  if (buffer && zeroed) {
    if (nbytes >= kFreshZeroBytes)
      os::drop_pages(buffer->data_, buffer->charged_);
    else
      std::memset(buffer->data_, 0, static_cast<size_t>(nbytes));
  }
  if (!buffer) {
    buffer = fresh_big(size_class, nbytes, charge, zeroed);
    buffer->kind_.store(large ? Buffer::Kind::kLarge : Buffer::Kind::kMedium, std::memory_order_relaxed);
  }
  allow(buffer->data_, nbytes);
  forbid(buffer->data_ + nbytes, big_class_bytes(size_class) - nbytes);
  buffer->foreign_ = nullptr;
  buffer->nbytes_ = nbytes;
  buffer->references_.store(1, std::memory_order_relaxed);
  return buffer;
}

// A cached block of the class, charged for `charge` or more; null when there is none. Rather than new pages, one of a class up
// to twice as large: a program whose arrays shrink step by step would pay for new pages in every class (mandelbrot.py: a third
// of its time).
Buffer* Pool::reuse_big(int size_class, int64_t charge) {
  std::lock_guard lock(mutex_);
  bins_[static_cast<size_t>(size_class)].last_use = ++uses_;
  int from = size_class;
  const int last = std::min(size_class + kLargerClasses, kBigClasses - 1);
  while (from < last && !bins_[static_cast<size_t>(from)].free) ++from;
  Bin& bin = bins_[static_cast<size_t>(from)];
  Buffer* buffer = bin.free;
  if (!buffer) return nullptr;
  bin.last_use = uses_;
  bin.free = buffer->next_;
  cached_bytes_ -= buffer->charged_;
  // It may have been smaller within its class; the pages it never touched are charged now.
  if (buffer->charged_ < charge) {
    int64_t missing = charge - buffer->charged_;
    if (!Account::arrays().try_charge(missing)) {
      trim_locked(missing);
      if (!Account::arrays().try_charge(missing)) {
        cached_bytes_ += buffer->charged_;
        buffer->next_ = bin.free;
        bin.free = buffer;
        Account::arrays().fail("allocate", charge, Account::arrays().held() - cached_bytes_);
      }
    }
    buffer->charged_ = charge;
  }
  ++reused_blocks_;
  return buffer;
}

Buffer* Pool::fresh_big(int size_class, int64_t nbytes, int64_t charge, bool zeroed) {
  Buffer* header = allocate_small(0);
  bool large = nbytes > kMediumLimit;
  int64_t used = 0;
  try {
    if (charge >= kLookBytes) {
      int64_t available = os::available_memory();
      std::lock_guard lock(mutex_);
      if (cached_bytes_ > 0 && available - kHotBytes < charge) trim_locked(charge + kHotBytes - available);
    }
    std::unique_lock lock(mutex_);
    ++fresh_blocks_;
    int64_t bytes = big_class_bytes(size_class);
    if (large) {
      const bool only_new = zeroed && nbytes >= kFreshZeroBytes;
      header->data_.store(fresh_large(nbytes, bytes, charge, only_new ? nullptr : &used), std::memory_order_relaxed);
    } else {
      charge_or_fail(nbytes, charge);
      Bin& bin = bins_[static_cast<size_t>(size_class)];
      if (bin.cold) {
        // Its pages were given back, so they read as zero, as new ones do.
        Buffer* revived = bin.cold;
        bin.cold = revived->next_;
        revived->charged_ = charge;
        lock.unlock();
        release_small(header);
        return revived;
      }
      header->data_.store(carve_region(bytes), std::memory_order_relaxed);
      if (!header->data_) Account::arrays().uncharge(charge);
    }
    lock.unlock();
    if (!header->data_) {
      throw ResourceError(
          "allocate: " + os::bytes_text(nbytes) + " asked, the system refused to map it; account \"arrays\" holds " +
          os::bytes_text(Account::arrays().held()) + " of its limit " + os::bytes_text(Account::arrays().limit()));
    }
  } catch (...) {
    header->data_.store(reinterpret_cast<std::byte*>(header) + kHeaderBytes, std::memory_order_relaxed);
    release_small(header);
    throw;
  }
  if (zeroed) std::memset(header->data_, 0, static_cast<size_t>(std::min(used, nbytes)));
  header->charged_ = charge;
  header->size_class_ = static_cast<uint16_t>(size_class);
  return header;
}

// With the mutex held: a mapping, charged; null where the system refuses it. Unless `used` is null its first pages may be used ones,
// and `*used` says how many bytes.
std::byte* Pool::fresh_large(int64_t nbytes, int64_t bytes, int64_t charge, int64_t* used) {
  Account& account = Account::arrays();
  if (charge > account.limit()) account.fail("allocate", nbytes, account.held() - cached_bytes_);
  std::byte* pages = map_large(bytes);
  int64_t moved = 0;
  if (pages && used && !move_cached_pages(pages, bytes, charge, &moved)) pages = map_large(bytes);
  if (!pages) return nullptr;
  try {
    charge_or_fail(nbytes, charge - moved, moved);
  } catch (...) {
    account.uncharge(moved);
    os::unmap_pages(pages, bytes);
    throw;
  }
  if (used) *used = moved;
  return pages;
}

// With the mutex held. Where the system has no room for a mapping, that of cached blocks goes.
std::byte* Pool::map_large(int64_t bytes) {
  std::byte* pages = os::map_pages(bytes, os::kHugePageBytes);
  if (!pages && trim_locked(INT64_MAX) > 0) pages = os::map_pages(bytes, os::kHugePageBytes);
  if (pages) os::prefer_huge_pages(pages, bytes);
  return pages;
}

// With the mutex held: pages of free large blocks, the sizes not used for longest first, for the first `charge` bytes of the mapping
// `to`. They stay charged. False where the system refused to move some: the mapping is gone then, and nothing is moved any more.
bool Pool::move_cached_pages(std::byte* to, int64_t mapped, int64_t charge, int64_t* moved) {
  if (!may_move_ || Account::arrays().held() > kMostMappings * os::kHugePageBytes) return true;
  while (*moved < charge) {
    Buffer* source = take_oldest(true);
    if (!source) break;
    const int64_t wanted = std::min(charge - *moved, source->charged_), left = source->charged_ - wanted;
    const int64_t source_mapped = mapped_bytes(big_class_bytes(source->size_class_), source->charged_);
    std::byte* tail = source->data_ + left;
    allow(tail, source_mapped - left);                // the addresses may be anyone's next
    os::forget_writes(source->data_, source_mapped);  // a watch's border divides what is moved in one piece
    const int64_t got = os::move_pages(tail, to + *moved, wanted);
    // What was refused may have gone from either place before, and others may have mapped something there since: it is left alone.
    const int64_t after = got < wanted ? got + os::kHugePageBytes : got;
    if (source_mapped - left > after) os::unmap_pages(tail + after, source_mapped - left - after);
    keep_rest(source, left);
    if (got < wanted) {
      if (*moved + got > 0) os::unmap_pages(to, *moved + got);
      if (mapped > *moved + after) os::unmap_pages(to + *moved + after, mapped - *moved - after);
      Account::arrays().uncharge(*moved + wanted);
      *moved = 0;
      may_move_ = false;
      return false;
    }
    *moved += got;
    moved_bytes_ += got;
  }
  return true;
}

// With the mutex held: the first bytes of a free large block, whose others have gone, stay free.
void Pool::keep_rest(Buffer* source, int64_t left) {
  source->charged_ = left;
  if (left > kMediumLimit) {
    // The largest class that it can serve; what is beyond that stays with it.
    int size_class = big_class(left);
    if (big_class_bytes(size_class) > left) --size_class;
    source->size_class_ = static_cast<uint16_t>(size_class);
    put_in_bin(source);
    return;
  }
  if (left > 0) {
    allow(source->data_, left);
    os::unmap_pages(source->data_, left);
    Account::arrays().uncharge(left);
  }
  retire_header(source);
}

void Pool::release_big(Buffer* buffer) {
  int64_t cap = Account::arrays().limit() / 4;
  bool large = buffer->kind_ == Buffer::Kind::kLarge;
  std::unique_lock lock(mutex_);
  if (cached_bytes_ + buffer->charged_ > cap) trim_locked(cached_bytes_ + buffer->charged_ - cap);
  if (buffer->charged_ > cap) {
    give_back(buffer);
    return;
  }
  // Marked before others can take it: what they write must not be marked.
  if (large && cached_bytes_ + buffer->charged_ > kHotBytes) os::let_kernel_take(buffer->data_, buffer->charged_);
  bins_[static_cast<size_t>(buffer->size_class_)].last_use = ++uses_;
  put_in_bin(buffer);
}

// With the mutex held.
void Pool::put_in_bin(Buffer* buffer) {
  Bin& bin = bins_[static_cast<size_t>(buffer->size_class_)];
  buffer->next_ = bin.free;
  bin.free = buffer;
  cached_bytes_ += buffer->charged_;
}

// With the mutex held; the block is in no list.
void Pool::give_back(Buffer* buffer) {
  Account::arrays().uncharge(buffer->charged_);
  if (buffer->kind_ == Buffer::Kind::kMedium) {
    os::drop_pages(buffer->data_, big_class_bytes(buffer->size_class_));
    Bin& bin = bins_[static_cast<size_t>(buffer->size_class_)];
    buffer->next_ = bin.cold;
    bin.cold = buffer;
    return;
  }
  const int64_t mapped = mapped_bytes(big_class_bytes(buffer->size_class_), buffer->charged_);
  allow(buffer->data_, mapped);  // the addresses may be anyone's next
  os::unmap_pages(buffer->data_, mapped);
  retire_header(buffer);
}

// With the mutex held. The header of a large block was a small block without bytes, and becomes one again.
void Pool::retire_header(Buffer* buffer) {
  buffer->kind_.store(Buffer::Kind::kSmall, std::memory_order_relaxed);
  buffer->data_.store(reinterpret_cast<std::byte*>(buffer) + kHeaderBytes, std::memory_order_relaxed);
  buffer->size_class_ = 0;
  buffer->next_ = shared_[0];
  shared_[0] = buffer;
}

// ---- both

Buffer* Pool::allocate_zeroed(int64_t nbytes) {
  if (nbytes > kSmallLimit) return allocate_big(nbytes, true);
  Buffer* buffer = allocate_small(nbytes);
  std::memset(buffer->data_, 0, static_cast<size_t>(nbytes));
  return buffer;
}

Buffer* Pool::allocate_foreign(std::byte* data, int64_t nbytes, bool writeable, Buffer::Foreign* foreign) {
  Buffer* buffer = allocate_small(0);
  buffer->data_.store(data, std::memory_order_relaxed);
  buffer->nbytes_ = nbytes;
  buffer->writeable_ = writeable;
  buffer->kind_.store(Buffer::Kind::kForeign, std::memory_order_relaxed);
  buffer->foreign_ = foreign;
  return buffer;
}

Buffer* Pool::allocate_promised(std::byte* address, int64_t nbytes) {
  Buffer* buffer = allocate_small(0);
  buffer->data_.store(address, std::memory_order_relaxed);
  buffer->nbytes_ = nbytes;
  buffer->kind_.store(Buffer::Kind::kPromised, std::memory_order_relaxed);
  return buffer;
}

void Pool::provide(Buffer* promised) {
  // A small block is one piece with its header, so a promised buffer always gets a medium one or a large one.
  Buffer* block = allocate_big(std::max(promised->nbytes_, kSmallLimit + 1), false);
  promised->charged_ = block->charged_;
  promised->size_class_ = block->size_class_;
  promised->kind_.store(block->kind_, std::memory_order_relaxed);
  promised->data_.store(block->data_, std::memory_order_release);
  block->kind_.store(Buffer::Kind::kSmall, std::memory_order_relaxed);
  block->size_class_ = 0;
  block->data_.store(reinterpret_cast<std::byte*>(block) + kHeaderBytes, std::memory_order_relaxed);
  release_small(block);
}

// With the mutex held. Cached blocks go before a request fails; `own` of what is charged is the request's already.
void Pool::charge_or_fail(int64_t nbytes, int64_t charge, int64_t own) {
  Account& account = Account::arrays();
  if (account.try_charge(charge)) return;
  if (charge <= account.limit()) {
    trim_locked(account.held() + charge - account.limit());
    if (account.try_charge(charge)) return;
  }
  account.fail("allocate", nbytes, account.held() - cached_bytes_ - own);
}

void Pool::charge(int64_t nbytes, int64_t charge) {
  if (Account::arrays().try_charge(charge)) return;
  ask_keepers_before_refusing(charge, [&] {
    std::lock_guard lock(mutex_);
    charge_or_fail(nbytes, charge);
  });
}

bool Pool::resize_in_place(Buffer* buffer, int64_t nbytes) {
  const int64_t room = big_class_bytes(buffer->size_class_);
  if (nbytes > room || nbytes <= room / 2) return false;
  const bool large = buffer->kind_ == Buffer::Kind::kLarge;
  if (large != (nbytes > kMediumLimit)) return false;
  const int64_t wanted = large ? round_up(nbytes, os::kHugePageBytes) : room;
  if (wanted > buffer->charged_) {
    charge(nbytes, wanted - buffer->charged_);
    buffer->charged_ = wanted;
  }
  allow(buffer->data_, nbytes);
  forbid(buffer->data_ + nbytes, room - nbytes);
  buffer->nbytes_ = nbytes;
  return true;
}

// With the mutex held. The rest of a region that is too short for the request is lost as addresses, not as memory.
std::byte* Pool::carve_region(int64_t bytes) {
  if (region_end_ - region_ < bytes) {
    std::byte* fresh = os::map_pages(kRegionBytes, os::kHugePageBytes);
    if (!fresh) return nullptr;
    os::prefer_huge_pages(fresh, kRegionBytes);
    region_ = fresh;
    region_end_ = fresh + kRegionBytes;
  }
  std::byte* result = region_;
  region_ += bytes;
  return result;
}

// With the mutex held: a free block of the size that was not used for longest, taken out of its bin; only large ones where that is asked.
Buffer* Pool::take_oldest(bool large) {
  const auto only_large = static_cast<size_t>(big_class(kMediumLimit) + 1);
  Bin* oldest = nullptr;
  for (size_t size_class = large ? only_large : 0; size_class < bins_.size(); ++size_class) {
    Bin& bin = bins_[size_class];
    if (bin.free && (!oldest || bin.last_use < oldest->last_use)) oldest = &bin;
  }
  if (!oldest) return nullptr;
  Buffer* buffer = oldest->free;
  oldest->free = buffer->next_;
  cached_bytes_ -= buffer->charged_;
  return buffer;
}

int64_t Pool::trim_locked(int64_t bytes) {
  int64_t given = 0;
  while (given < bytes) {
    Buffer* buffer = take_oldest(false);
    if (!buffer) break;
    given += buffer->charged_;
    give_back(buffer);
  }
  return given;
}

int64_t Pool::trim(int64_t bytes) {
  std::lock_guard lock(mutex_);
  return trim_locked(bytes);
}

PoolStatistics Pool::statistics() {
  std::lock_guard lock(mutex_);
  return {cached_bytes_, fresh_blocks_, reused_blocks_, moved_bytes_};
}

}  // namespace manycore::memory
