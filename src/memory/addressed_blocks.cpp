#include "memory/addressed_blocks.h"

#include <algorithm>
#include <cstring>

#include "base/at_fork.h"
#include "base/lasting.h"
#include "memory/pool.h"

namespace manycore::memory {

AddressedBlocks& AddressedBlocks::instance() {
  static constinit base::Lasting<AddressedBlocks> blocks;  // arrays die after static destruction
  return blocks.get([] { return new AddressedBlocks(); });
}

AddressedBlocks::AddressedBlocks() {
  base::at_fork(base::ForkStep::kAddresses,
                {[] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); }, [] { instance().mutex_.unlock(); }});
}

std::byte* AddressedBlocks::allocate(int64_t nbytes, bool zeroed) {
  nbytes = std::max(nbytes, kSmallLimit + 1);
  Pool& pool = Pool::instance();
  Buffer* buffer = zeroed ? pool.allocate_zeroed(nbytes) : pool.allocate(nbytes);
  remember(buffer);
  return buffer->data();
}

void AddressedBlocks::remember(Buffer* buffer) {
  std::lock_guard lock(mutex_);
  blocks_.emplace(buffer->data(), buffer);
}

Buffer* AddressedBlocks::find(std::byte* address) {
  std::lock_guard lock(mutex_);
  auto found = blocks_.find(address);
  return found == blocks_.end() ? nullptr : found->second;
}

int64_t AddressedBlocks::bytes_at(std::byte* address) {
  const Buffer* buffer = find(address);
  return buffer ? buffer->nbytes() : -1;
}

std::byte* AddressedBlocks::resize(std::byte* address, int64_t nbytes) {
  Buffer* old = find(address);
  if (!old) return nullptr;
  nbytes = std::max(nbytes, kSmallLimit + 1);
  if (Pool::instance().resize_in_place(old, nbytes)) return address;
  std::byte* fresh = allocate(nbytes, false);
  std::memcpy(fresh, address, static_cast<size_t>(std::min(old->nbytes(), nbytes)));
  release(address);
  return fresh;
}

bool AddressedBlocks::release(std::byte* address) {
  Buffer* buffer = nullptr;
  {
    std::lock_guard lock(mutex_);
    auto found = blocks_.find(address);
    if (found == blocks_.end()) return false;
    buffer = found->second;
    blocks_.erase(found);  // before the pool may hand the address out again
  }
  buffer->release();
  return true;
}

}  // namespace manycore::memory
