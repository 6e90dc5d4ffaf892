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

void* Buffer::owner() const { return is_foreign() ? foreign_->owner : nullptr; }

void Buffer::destroy() {
  if (is_foreign()) {
    // The header goes first: the release function may run anything, even allocate.
    Foreign* foreign = foreign_;
    kind_ = Kind::kSmall;
    memory::Pool::instance().release(this);
    if (foreign->release) foreign->release();
    delete foreign;
    return;
  }
  memory::Pool::instance().release(this);
}

}  // namespace manycore
