#include "worker/link.h"

#include <new>

#include "os/pages.h"

namespace manycore::worker {

Link::Link(int descriptor, int slot) : memory_(os::map_shared(descriptor, offset_of(slot), kLinkBytes)) {}

Link::~Link() {
  if (memory_ != nullptr) os::unmap_pages(memory_, kLinkBytes);
}

Link& Link::operator=(Link&& other) noexcept {
  std::swap(memory_, other.memory_);
  return *this;
}

void Link::make_new() { new (memory_) LinkPage; }

}  // namespace manycore::worker
