// One thread's work: the owner pushes and pops at the bottom, any thread steals at the top. Chase and Lev's deque with the orders of Le,
// Pop, Cohen and Zappa Nardelli (PPoPP 2013), but for their fences: the accesses around a fence are sequentially consistent themselves,
// which costs no more and which ThreadSanitizer understands. Every store to the bottom releases, so whoever reads a bottom sees what the
// owner pushed before.
// Holds pointers that are the caller's. A thief looks at an item before it tries to take it, so items' memory must stay readable
// even after they were taken; what a look tells may be outdated, but not where the item is taken then: it was there all the while.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "sched/perturb.h"

namespace manycore::sched {

enum class Steal : uint8_t { kTaken, kEmpty, kLost, kUnwanted };  // lost: to another thief or the owner

template <class T>
class Deque {
 public:
  explicit Deque(int64_t capacity = 256) { grow_to(capacity); }
  Deque(const Deque&) = delete;
  Deque& operator=(const Deque&) = delete;

  // The owner's. push() may throw std::bad_alloc and has done nothing then.
  void push(T* item) {
    const int64_t bottom = bottom_.load(std::memory_order_relaxed);
    Buffer* buffer = buffer_.load(std::memory_order_relaxed);
    if (bottom - seen_top_ >= buffer->capacity) {
      seen_top_ = top_.load(std::memory_order_acquire);
      if (bottom - seen_top_ >= buffer->capacity) buffer = grow_to(2 * buffer->capacity);
    }
    buffer->at(bottom).store(item, std::memory_order_relaxed);
    perturb();
    // Sequentially consistent, so that who sleeps either is seen by this thread afterwards or sees the item (workers.h).
    bottom_.store(bottom + 1, std::memory_order_seq_cst);
    perturb();
  }

  T* pop() {
    const int64_t bottom = bottom_.load(std::memory_order_relaxed) - 1;
    if (bottom < top_.load(std::memory_order_relaxed)) return nullptr;  // the top only rises
    const Buffer* buffer = buffer_.load(std::memory_order_relaxed);
    bottom_.store(bottom, std::memory_order_seq_cst);
    perturb();
    int64_t top = top_.load(std::memory_order_seq_cst);
    if (top < bottom) return buffer->at(bottom).load(std::memory_order_relaxed);
    T* item = nullptr;
    if (top == bottom) {
      item = buffer->at(bottom).load(std::memory_order_relaxed);
      perturb();
      if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst, std::memory_order_relaxed)) item = nullptr;
    }
    bottom_.store(bottom + 1, std::memory_order_release);
    return item;
  }

  // The newest item, if there is one and it is wanted.
  template <class Wanted>
  T* pop_if(Wanted&& wanted) {
    const int64_t bottom = bottom_.load(std::memory_order_relaxed) - 1;
    if (bottom < top_.load(std::memory_order_relaxed)) return nullptr;
    const T* item = buffer_.load(std::memory_order_relaxed)->at(bottom).load(std::memory_order_relaxed);
    return wanted(*item) ? pop() : nullptr;
  }

  // Whether a wanted item is somewhere in it; thieves may take it meanwhile.
  template <class Wanted>
  bool holds(Wanted&& wanted) const {
    const Buffer* buffer = buffer_.load(std::memory_order_relaxed);
    for (int64_t i = bottom_.load(std::memory_order_relaxed) - 1; i >= top_.load(std::memory_order_relaxed); --i) {
      if (wanted(*buffer->at(i).load(std::memory_order_relaxed))) return true;
    }
    return false;
  }

  int64_t bottom() const { return bottom_.load(std::memory_order_relaxed); }

  // In a child made by fork, where nobody else is: what is in it was the parent's.
  void forget() {
    top_.store(0);
    bottom_.store(0);
    seen_top_ = 0;
  }

  // Any thread's.
  template <class Wanted>
  Steal steal(T** taken, Wanted&& wanted) {
    int64_t top = top_.load(std::memory_order_seq_cst);
    perturb();
    if (top >= bottom_.load(std::memory_order_seq_cst)) return Steal::kEmpty;
    T* item = buffer_.load(std::memory_order_acquire)->at(top).load(std::memory_order_relaxed);
    // A buffer that grew meanwhile has nothing where others had taken the item before.
    if (item == nullptr) return Steal::kLost;
    if (!wanted(*item)) return Steal::kUnwanted;
    perturb();
    if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst, std::memory_order_relaxed)) return Steal::kLost;
    *taken = item;
    return Steal::kTaken;
  }

  bool looks_empty() const { return top_.load(std::memory_order_seq_cst) >= bottom_.load(std::memory_order_seq_cst); }

 private:
  struct Buffer {
    explicit Buffer(int64_t size) : capacity(size), slots(new std::atomic<T*>[static_cast<size_t>(size)]()) {}
    std::atomic<T*>& at(int64_t i) const { return slots[static_cast<size_t>(i & (capacity - 1))]; }
    int64_t capacity;  // a power of two
    std::unique_ptr<std::atomic<T*>[]> slots;
  };

  Buffer* grow_to(int64_t capacity) {
    auto larger = std::make_unique<Buffer>(capacity);
    buffers_.reserve(buffers_.size() + 1);
    const int64_t bottom = bottom_.load(std::memory_order_relaxed);
    if (const Buffer* old = buffer_.load(std::memory_order_relaxed)) {
      for (int64_t i = top_.load(std::memory_order_acquire); i < bottom; ++i) {
        larger->at(i).store(old->at(i).load(std::memory_order_relaxed), std::memory_order_relaxed);
      }
    }
    buffers_.push_back(std::move(larger));
    buffer_.store(buffers_.back().get(), std::memory_order_release);
    return buffers_.back().get();
  }

  alignas(64) std::atomic<int64_t> top_{0};
  alignas(64) std::atomic<int64_t> bottom_{0};
  std::atomic<Buffer*> buffer_{nullptr};
  int64_t seen_top_ = 0;                          // the top, or less, so that a push need not ask for what thieves change
  std::vector<std::unique_ptr<Buffer>> buffers_;  // thieves may still read the older ones
};

}  // namespace manycore::sched
