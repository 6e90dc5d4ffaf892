// Threads that wait for one thing, in the order of their arrival. Under the GIL.
#pragma once

#include "task/waiter.h"

namespace manycore::python::locks {

class WaiterLine {
 public:
  bool empty() const { return first_ == nullptr; }

  // At the end, or at the head: somebody who was woken in vain keeps his place.
  void add(task::Waiter& waiter, bool at_end = true) {
    if (at_end) {
      waiter.next = nullptr;
      (last_ == nullptr ? first_ : last_->next) = &waiter;
      last_ = &waiter;
    } else {
      waiter.next = first_;
      first_ = &waiter;
      if (last_ == nullptr) last_ = &waiter;
    }
  }

  // False where it was not in the line.
  bool remove(task::Waiter& waiter) {
    task::Waiter* before = nullptr;
    for (task::Waiter* other = first_; other != nullptr; before = other, other = other->next) {
      if (other != &waiter) continue;
      (before == nullptr ? first_ : before->next) = waiter.next;
      if (last_ == &waiter) last_ = before;
      return true;
    }
    return false;
  }

  // The one that has waited longest, taken out; null: none.
  task::Waiter* pop() {
    task::Waiter* waiter = first_;
    if (waiter == nullptr) return nullptr;
    first_ = waiter->next;
    if (first_ == nullptr) last_ = nullptr;
    return waiter;
  }

 private:
  task::Waiter* first_ = nullptr;
  task::Waiter* last_ = nullptr;
};

}  // namespace manycore::python::locks
