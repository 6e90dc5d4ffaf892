// Buffer: one block of bytes that arrays share by reference. Either from the pool (memory/pool.h, 64-byte aligned) or
// foreign memory with a release function. Reference counts are atomic: the last owner, on whichever thread, releases.
// A buffer never moves. Reading and writing the bytes is not synchronised here. Small blocks are one piece: this header, then
// the bytes; the header of a large block lives apart.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include "manycore/export.h"

namespace manycore {

namespace memory {
class Pool;
}

class MANYCORE_API Buffer {
 public:
  // From the pool; uninitialised. Throws ResourceError naming the account, its limit and the request when it cannot fit.
  static Buffer* allocate(int64_t nbytes);
  static Buffer* allocate_zeroed(int64_t nbytes);
  // Memory that somebody else owns. `release` runs once when the last reference goes, possibly on an engine thread.
  static Buffer* wrap(std::byte* data, int64_t nbytes, bool writeable, std::function<void()> release, void* owner = nullptr);

  std::byte* data() const { return data_; }
  int64_t nbytes() const { return nbytes_; }
  bool is_foreign() const { return kind_ == Kind::kForeign; }
  bool is_writeable() const { return writeable_; }
  void* owner() const;  // what wrap() was given: the Python layer finds the original object by it; null for pool memory

  void retain() { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() {
    // Release on the way down, acquire for the one that frees: it must see every other owner's last writes. A sole owner needs
    // no locked instruction: nobody else is left who could retain.
    if (references_.load(std::memory_order_acquire) == 1 || references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }
  int64_t references() const { return references_.load(std::memory_order_relaxed); }

 private:
  struct Foreign;
  friend class memory::Pool;
  enum class Kind : uint8_t { kSmall, kMedium, kLarge, kForeign };

  Buffer() = default;
  ~Buffer() = default;
  void destroy();

  std::byte* data_ = nullptr;
  int64_t nbytes_ = 0;
  int64_t charged_ = 0;  // what the account was charged for this block; small blocks are charged by the slab
  union {
    Foreign* foreign_ = nullptr;  // while in use, when kind_ is kForeign
    Buffer* next_;                // while free, in the pool's lists
  };
  std::atomic<int64_t> references_{1};
  uint16_t size_class_ = 0;
  Kind kind_ = Kind::kSmall;
  bool writeable_ = true;
};

// An owning reference.
class BufferRef {
 public:
  BufferRef() = default;
  static BufferRef adopt(Buffer* buffer) {
    BufferRef reference;
    reference.buffer_ = buffer;
    return reference;
  }
  BufferRef(const BufferRef& other) : buffer_(other.buffer_) {
    if (buffer_) buffer_->retain();
  }
  BufferRef(BufferRef&& other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)) {}
  BufferRef& operator=(BufferRef other) noexcept {
    std::swap(buffer_, other.buffer_);
    return *this;
  }
  ~BufferRef() {
    if (buffer_) buffer_->release();
  }
  Buffer* get() const { return buffer_; }
  Buffer* operator->() const { return buffer_; }
  explicit operator bool() const { return buffer_ != nullptr; }

 private:
  Buffer* buffer_ = nullptr;
};

}  // namespace manycore
