// Memory for small things that threads make and drop all the time, such as tasks: each thread keeps a list of free ones, and lists that
// grow long are passed on to whoever lacks some. Cells keep their type and are never given back to the system, so a stale pointer to
// one stays readable. T has a member `next`, the list's while the cell is free, and a default constructor, run once.
// A CellStore is shared by all threads; a Cells belongs to one.
#pragma once

#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace manycore::sched {

template <class T>
class CellStore {
 public:
  static constexpr int kBatch = 64;

  // A list of kBatch free cells.
  T* take_batch() {
    const std::lock_guard lock(mutex_);
    if (!batches_.empty()) {
      T* first = batches_.back();
      batches_.pop_back();
      return first;
    }
    auto fresh = std::make_unique<T[]>(kBatch);
    for (int i = 0; i + 1 < kBatch; ++i) fresh[static_cast<size_t>(i)].next = &fresh[static_cast<size_t>(i + 1)];
    fresh[kBatch - 1].next = nullptr;
    slabs_.push_back(std::move(fresh));
    return slabs_.back().get();
  }

  // Where there is no memory for the note, the cells are lost until the process ends.
  void give_batch(T* first) noexcept {
    const std::lock_guard lock(mutex_);
    try {
      batches_.push_back(first);
    } catch (const std::bad_alloc&) {
    }
  }

  std::mutex& mutex_for_fork() { return mutex_; }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<T[]>> slabs_;
  std::vector<T*> batches_;
};

template <class T>
class Cells {
 public:
  T* take(CellStore<T>& store) {
    if (free_ == nullptr) {
      free_ = std::exchange(spare_, nullptr);
      if (free_ == nullptr) free_ = store.take_batch();
      count_ = CellStore<T>::kBatch;
    }
    T* cell = free_;
    free_ = cell->next;
    --count_;
    return cell;
  }

  void give(T* cell, CellStore<T>& store) noexcept {
    if (count_ == CellStore<T>::kBatch) {
      if (spare_ != nullptr) store.give_batch(spare_);
      spare_ = std::exchange(free_, nullptr);
      count_ = 0;
    }
    cell->next = free_;
    free_ = cell;
    ++count_;
  }

  // In a child made by fork, where the owner may have been stopped in the middle.
  void forget() { free_ = spare_ = nullptr, count_ = 0; }

 private:
  T* free_ = nullptr;
  T* spare_ = nullptr;  // a whole batch
  int count_ = 0;       // in free_
};

}  // namespace manycore::sched
