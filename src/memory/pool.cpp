// Long file: small and big blocks share the mutex, the account and the order in which cached blocks go.
#include "memory/pool.h"

#include <cstring>
#include <new>

#include "base/at_fork.h"
#include "base/check.h"
#include "manycore/errors.h"
#include "memory/poison.h"
#include "os/memory_limit.h"
#include "os/pages.h"

namespace manycore::memory {
namespace {

constexpr int64_t kSlabBytes = 64 << 10;         // small blocks are cut from slabs of one size class
constexpr int64_t kRegionBytes = 32 << 20;       // slabs and medium blocks are cut from regions
constexpr int64_t kThreadListBytes = 128 << 10;  // per size class, in one thread's list
// Below, writing zeros over used pages; from here on, fresh zero pages as calloc gives (the C library's largest threshold).
constexpr int64_t kFreshZeroBytes = 32 << 20;
// Cached blocks past this are marked free for the kernel to take back when it must (MADV_FREE: 0.04 ms for 80 MB in huge pages).
constexpr int64_t kHotBytes = 256 << 20;
// New mappings from this size on first look at what the system has left (reading /proc costs 30 us, the faults 1 ms).
constexpr int64_t kLookBytes = 16 << 20;

// A request takes a free block that is at most so many classes larger; eight classes double the bytes.
constexpr int kLargerClasses = 8;

constexpr int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace

// Hands a thread's lists to the others when the thread ends. `ended` stays true while later destructors still free buffers.
struct ThreadCacheOwner {
  ThreadCacheOwner() : cache(new Pool::ThreadCache()) {}
  ~ThreadCacheOwner();
  Pool::ThreadCache* cache;
};

namespace {
// Plain pointers with a fixed offset from the thread register: one instruction to read.
__attribute__((tls_model("initial-exec"))) thread_local void* current_cache = nullptr;
__attribute__((tls_model("initial-exec"))) thread_local bool ended = false;
}  // namespace

ThreadCacheOwner::~ThreadCacheOwner() {
  current_cache = nullptr;
  ended = true;
  for (int size_class = 0; size_class < Pool::kSmallClasses; ++size_class) Pool::instance().drain(cache, size_class, 0);
  delete cache;
}

Pool& Pool::instance() {
  static Pool* pool = new Pool();  // leaked: buffers die after static destruction
  return *pool;
}

Pool::Pool() {
  // Held across fork, so that the child finds the lists whole.
  base::at_fork(base::ForkStep::kPool,
                {[] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); }, [] { instance().mutex_.unlock(); }});
}

int32_t Pool::cache_capacity(int size_class) {
  int64_t blocks = kThreadListBytes / (kHeaderBytes + small_class_bytes(size_class));
  return static_cast<int32_t>(blocks < 4 ? 4 : blocks > 256 ? 256 : blocks);
}

Pool::ThreadCache* Pool::thread_cache() {
  if (__builtin_expect(current_cache != nullptr, 1)) return static_cast<ThreadCache*>(current_cache);
  if (ended) return nullptr;
  thread_local ThreadCacheOwner owner;
  current_cache = owner.cache;
  return owner.cache;
}

// ---- small blocks

Buffer* Pool::allocate_small(int64_t nbytes) {
  int size_class = small_class(nbytes);
  ThreadCache* cache = thread_cache();
  Buffer* buffer = cache ? cache->free[static_cast<size_t>(size_class)] : nullptr;
  if (__builtin_expect(buffer != nullptr, 1)) {
    cache->free[static_cast<size_t>(size_class)] = buffer->next_;
    --cache->count[static_cast<size_t>(size_class)];
  } else {
    buffer = refill(cache, size_class);
  }
  buffer->foreign_ = nullptr;
  buffer->nbytes_ = nbytes;
  buffer->references_.store(1, std::memory_order_relaxed);
  allow(buffer->data_, nbytes);
  return buffer;
}

// Half a list from the shared one or a new slab; returns one block. Without a thread cache, just that block.
Buffer* Pool::refill(ThreadCache* cache, int size_class) {
  auto index = static_cast<size_t>(size_class);
  std::lock_guard lock(mutex_);
  int32_t wanted = cache ? cache_capacity(size_class) / 2 : 1;
  if (!shared_[index]) shared_[index] = carve_small(size_class, wanted);
  Buffer* first = shared_[index];
  Buffer* last = first;
  int32_t taken = 1;
  for (; taken < wanted && last->next_; ++taken) last = last->next_;
  shared_[index] = last->next_;
  last->next_ = nullptr;
  if (cache) {
    cache->free[index] = first->next_;
    cache->count[index] = taken - 1;
  }
  return first;
}

Buffer* Pool::carve_small(int size_class, int32_t wanted) {
  int64_t block = kHeaderBytes + small_class_bytes(size_class);
  int64_t slab = round_up(std::min(std::max(kSlabBytes, block), block * wanted), os::kPageBytes);
  charge_or_fail(block, slab);
  std::byte* bytes = carve_region(slab);
  if (!bytes) {
    Account::arrays().uncharge(slab);
    throw ResourceError("allocate: the system refused to map " + os::bytes_text(kRegionBytes));
  }
  Buffer* first = nullptr;
  for (int64_t offset = (slab / block - 1) * block; offset >= 0; offset -= block) {
    auto* buffer = new (bytes + offset) Buffer();
    buffer->data_.store(bytes + offset + kHeaderBytes, std::memory_order_relaxed);
    forbid(buffer->data_, small_class_bytes(size_class));
    buffer->size_class_ = static_cast<uint16_t>(size_class);
    buffer->next_ = first;
    first = buffer;
  }
  return first;
}

void Pool::release_small(Buffer* buffer) {
  auto index = static_cast<size_t>(buffer->size_class_);
  ThreadCache* cache = thread_cache();
  if (__builtin_expect(cache == nullptr, 0)) {
    std::lock_guard lock(mutex_);
    buffer->next_ = shared_[index];
    shared_[index] = buffer;
    return;
  }
  buffer->next_ = cache->free[index];
  cache->free[index] = buffer;
  // 256 bounds every list, so the exact bound is looked up only on the way there.
  int32_t count = ++cache->count[index];
  if (__builtin_expect(count >= 4 && count > cache_capacity(buffer->size_class_), 0))
    drain(cache, buffer->size_class_, cache_capacity(buffer->size_class_) / 2);
}

void Pool::drain(ThreadCache* cache, int size_class, int32_t keep) {
  auto index = static_cast<size_t>(size_class);
  int32_t excess = cache->count[index] - keep;
  if (excess <= 0) return;
  Buffer* first = cache->free[index];
  Buffer* last = first;
  for (int32_t i = 1; i < excess; ++i) last = last->next_;
  cache->free[index] = last->next_;
  cache->count[index] = keep;
  std::lock_guard lock(mutex_);
  last->next_ = shared_[index];
  shared_[index] = first;
}

// ---- medium and large blocks

Buffer* Pool::allocate_big(int64_t nbytes, bool zeroed) {
  // 2^62 bytes exceed every machine; beyond, the size classes would overflow.
  if (nbytes > int64_t{1} << 61) Account::arrays().fail("allocate", nbytes, Account::arrays().held());
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
    buffer = fresh_big(size_class, nbytes, charge);
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

Buffer* Pool::fresh_big(int size_class, int64_t nbytes, int64_t charge) {
  Buffer* header = allocate_small(0);
  bool large = nbytes > kMediumLimit;
  try {
    if (charge >= kLookBytes) {
      int64_t available = os::available_memory();
      std::lock_guard lock(mutex_);
      if (cached_bytes_ > 0 && available - kHotBytes < charge) trim_locked(charge + kHotBytes - available);
    }
    std::unique_lock lock(mutex_);
    charge_or_fail(nbytes, charge);
    ++fresh_blocks_;
    Bin& bin = bins_[static_cast<size_t>(size_class)];
    if (!large && bin.cold) {
      // Its pages were given back, so they read as zero, as new ones do.
      Buffer* revived = bin.cold;
      bin.cold = revived->next_;
      revived->charged_ = charge;
      lock.unlock();
      release_small(header);
      return revived;
    }
    int64_t bytes = big_class_bytes(size_class);
    header->data_.store(large ? os::map_pages(bytes, os::kHugePageBytes) : carve_region(bytes), std::memory_order_relaxed);
    lock.unlock();
    if (!header->data_) {
      Account::arrays().uncharge(charge);
      throw ResourceError(
          "allocate: " + os::bytes_text(nbytes) + " asked, the system refused to map it; account \"arrays\" holds " +
          os::bytes_text(Account::arrays().held()) + " of its limit " + os::bytes_text(Account::arrays().limit()));
    }
    if (large) os::prefer_huge_pages(header->data_, bytes);
  } catch (...) {
    header->data_.store(reinterpret_cast<std::byte*>(header) + kHeaderBytes, std::memory_order_relaxed);
    release_small(header);
    throw;
  }
  header->charged_ = charge;
  header->size_class_ = static_cast<uint16_t>(size_class);
  return header;
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
  Bin& bin = bins_[static_cast<size_t>(buffer->size_class_)];
  buffer->next_ = bin.free;
  bin.free = buffer;
  bin.last_use = ++uses_;
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
  allow(buffer->data_, big_class_bytes(buffer->size_class_));  // the addresses may be anyone's next
  os::unmap_pages(buffer->data_, big_class_bytes(buffer->size_class_));
  // The header was a small block without bytes, and becomes one again.
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

void Pool::release(Buffer* buffer) {
  if (buffer->kind_ == Buffer::Kind::kPromised)
    buffer->kind_.store(Buffer::Kind::kSmall, std::memory_order_relaxed);  // never got memory
  if (buffer->kind_ == Buffer::Kind::kSmall) {
    if (__builtin_expect(buffer->size_class_ == 0, 0)) {
      // A header that served foreign memory points there; as a small block it points behind itself again.
      buffer->data_.store(reinterpret_cast<std::byte*>(buffer) + kHeaderBytes, std::memory_order_relaxed);
      buffer->writeable_ = true;
    }
    forbid(buffer->data_, small_class_bytes(buffer->size_class_));
    release_small(buffer);
  } else {
    forbid(buffer->data_, big_class_bytes(buffer->size_class_));
    release_big(buffer);
  }
}

// With the mutex held. Cached blocks go before a request fails.
void Pool::charge_or_fail(int64_t nbytes, int64_t charge) {
  Account& account = Account::arrays();
  if (account.try_charge(charge)) return;
  if (charge <= account.limit()) {
    trim_locked(account.held() + charge - account.limit());
    if (account.try_charge(charge)) return;
  }
  account.fail("allocate", nbytes, account.held() - cached_bytes_);
}

void Pool::charge(int64_t nbytes, int64_t charge) {
  if (Account::arrays().try_charge(charge)) return;
  std::lock_guard lock(mutex_);
  charge_or_fail(nbytes, charge);
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

int64_t Pool::trim_locked(int64_t bytes) {
  int64_t given = 0;
  while (given < bytes && cached_bytes_ > 0) {
    Bin* oldest = nullptr;
    for (Bin& bin : bins_)
      if (bin.free && (!oldest || bin.last_use < oldest->last_use)) oldest = &bin;
    Buffer* buffer = oldest->free;
    oldest->free = buffer->next_;
    cached_bytes_ -= buffer->charged_;
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
  return {cached_bytes_, fresh_blocks_, reused_blocks_};
}

}  // namespace manycore::memory
