#include "manycore/buffer.h"

#include <new>

#include "memory/pool.h"

namespace manycore {

struct Buffer::Foreign {
  std::function<void()> release;
  void* owner;
};

Buffer* Buffer::allocate(int64_t nbytes) { return memory::Pool::instance().allocate(nbytes); }

Buffer* Buffer::allocate_zeroed(int64_t nbytes) { return memory::Pool::instance().allocate_zeroed(nbytes); }

Buffer* Buffer::wrap(std::byte* data, int64_t nbytes, bool writeable, std::function<void()> release, void* owner) {
  auto* foreign = new Foreign{std::move(release), owner};
  try {
    return memory::Pool::instance().allocate_foreign(data, nbytes, writeable, foreign);
  } catch (...) {
    delete foreign;
    throw;
  }
}

Buffer* Buffer::promise(int64_t nbytes) {
  // 2^60 bytes and more: beyond every address that x86-64 and AArch64 give out. A page between two keeps them apart.
  static std::atomic<intptr_t> next{kFirstPromised};
  constexpr intptr_t kPage = 4096;
  if (nbytes > int64_t{1} << 55) return allocate(nbytes);  // fails, with the account's words
  const intptr_t address = next.fetch_add((nbytes + 2 * kPage - 1) / kPage * kPage, std::memory_order_relaxed);
  Buffer* buffer = memory::Pool::instance().allocate_promised(reinterpret_cast<std::byte*>(address), nbytes);
  buffer->promised_ = address;
  return buffer;
}

void Buffer::provide() {
  if (!has_memory()) memory::Pool::instance().provide(this);
}

void* Buffer::owner() const { return is_foreign() ? foreign_->owner : nullptr; }

void Buffer::destroy() {
  promised_ = 0;
  pins_.store(0, std::memory_order_relaxed);
  if (is_foreign()) {
    // The header goes first: the release function may run anything, even allocate.
    Foreign* foreign = foreign_;
    kind_.store(Kind::kSmall, std::memory_order_relaxed);
    memory::Pool::instance().release(this);
    if (foreign->release) foreign->release();
    delete foreign;
    return;
  }
  memory::Pool::instance().release(this);
}

}  // namespace manycore
