// Small blocks: lists per thread, filled from and drained to shared ones.
#include <new>

#include "manycore/errors.h"
#include "memory/keepers.h"
#include "memory/poison.h"
#include "memory/pool.h"
#include "os/memory_limit.h"
#include "os/pages.h"

namespace manycore::memory {
namespace {

constexpr int64_t kSlabBytes = 64 << 10;         // blocks are cut from slabs of one size class
constexpr int64_t kThreadListBytes = 128 << 10;  // per size class, in one thread's list

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

Buffer* Pool::refill(ThreadCache* cache, int size_class) {
  return ask_keepers_before_refusing(kSlabBytes, [&] { return try_refill(cache, size_class); });
}

// Half a list from the shared one or a new slab; returns one block. Without a thread cache, just that block.
Buffer* Pool::try_refill(ThreadCache* cache, int size_class) {
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

}  // namespace manycore::memory
