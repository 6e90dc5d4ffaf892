// Buffer: one block of bytes that arrays share by reference. Either from the pool (memory/pool.h, 64-byte aligned) or
// foreign memory with a release function. Reference counts are atomic: the last owner, on whichever thread, releases.
// A buffer never moves. Reading and writing the bytes is not synchronised here. Small blocks are one piece: this header, then
// the bytes; the header of a large block lives apart.
// A promised buffer has addresses but no memory yet: recorded instructions will write it. Its addresses are its own for ever, so
// views over it can be compared; they lie where no memory ever is, so that touching one before its time is a crash, not a lie.
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

  // Addresses for `nbytes` without memory; provide() takes the memory from the pool, with allocate's errors.
  static Buffer* promise(int64_t nbytes);
  void provide();
  static bool is_promised(const std::byte* address) { return reinterpret_cast<intptr_t>(address) >= kFirstPromised; }
  // Where a promised address lies once there is memory; other addresses as they are.
  std::byte* resolve(std::byte* address) const {
    if (!is_promised(address) || promised_ == 0) return address;
    std::byte* first = data();
    return is_promised(first) ? address : first + (reinterpret_cast<intptr_t>(address) - promised_);
  }
  bool has_memory() const { return !is_promised(data()); }

  // Recorded instructions that touch this buffer: whose they are (null: none) and whether one of them writes. Set by the
  // recorder while it holds its lock, read by anyone.
  enum Pending : uintptr_t { kReads = 1, kWrites = 2, kPendingBits = 3 };
  uintptr_t pending() const { return pending_.load(std::memory_order_acquire); }
  void set_pending(uintptr_t value) { pending_.store(value, std::memory_order_release); }
  bool mark_pending(uintptr_t* seen, uintptr_t value) { return pending_.compare_exchange_strong(*seen, value); }

  // How many times the memory is visible outside the engine (buffers, real NumPy arrays, DLPack): while it is, nothing that reads
  // or writes it stays recorded. Foreign memory is visible from the start unless its owner says otherwise.
  bool is_pinned() const { return pins_.load(std::memory_order_relaxed) != 0; }
  void pin() { pins_.fetch_add(1, std::memory_order_relaxed); }
  void unpin() { pins_.fetch_sub(1, std::memory_order_relaxed); }

  std::byte* data() const { return data_.load(std::memory_order_acquire); }
  int64_t nbytes() const { return nbytes_; }
  bool is_foreign() const { return kind_.load(std::memory_order_relaxed) == Kind::kForeign; }
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
  enum class Kind : uint8_t { kSmall, kMedium, kLarge, kForeign, kPromised };
  static constexpr intptr_t kFirstPromised = intptr_t{1} << 60;

  Buffer() = default;
  ~Buffer() = default;
  void destroy();

  // Others may look at an array while a thread that runs recorded work gives it its memory, so its address and kind are atomic.
  std::atomic<std::byte*> data_{nullptr};
  int64_t nbytes_ = 0;
  int64_t charged_ = 0;  // what the account was charged for this block; small blocks are charged by the slab
  union {
    Foreign* foreign_ = nullptr;  // while in use, when kind_ is kForeign
    Buffer* next_;                // while free, in the pool's lists
  };
  std::atomic<int64_t> references_{1};
  std::atomic<uintptr_t> pending_{0};
  intptr_t promised_ = 0;  // the first promised address
  std::atomic<int32_t> pins_{0};
  uint16_t size_class_ = 0;
  std::atomic<Kind> kind_{Kind::kSmall};
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
