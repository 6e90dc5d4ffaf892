#include "task/queue.h"

#include <new>
#include <tuple>

namespace manycore::task {

bool Queue::Sooner::operator()(const Call* one, const Call* other) const {
  const Order& a = *one->order;
  const Order& b = *other->order;
  return std::tie(b.priority, a.deadline, a.arrival) < std::tie(a.priority, b.deadline, b.arrival);
}

// Without memory for its place the call takes that of its arrival.
bool Queue::insert_sorted(Call& call) noexcept {
  try {
    call.order->arrival = arrivals_++;
    (call.order->priority < 0 ? behind_ : ahead_).insert(&call);
    any_sorted_ = true;
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void Queue::append(Call& call) {
  call.next = nullptr;
  call.linked = true;
  if (call.order != nullptr && call.order->sorts() && insert_sorted(call)) [[unlikely]]
    return;
  (tail_ == nullptr ? head_ : tail_->next) = &call;
  tail_ = &call;
}

Call* Queue::first() const {
  if (!any_sorted_) [[likely]]
    return head_;
  if (!ahead_.empty()) return *ahead_.begin();
  if (head_ != nullptr || behind_.empty()) return head_;
  return *behind_.begin();
}

void Queue::drop_first(Call& call) {
  if (&call == head_) [[likely]] {
    head_ = call.next;
    if (head_ == nullptr) tail_ = nullptr;
  } else {
    Sorted& sorted = ahead_.empty() ? behind_ : ahead_;
    sorted.erase(sorted.begin());
    any_sorted_ = !ahead_.empty() || !behind_.empty();
  }
  call.linked = false;
}

Waiter* Queue::pop_sleeper_if_needed() {
  if (searching_ > 0 || sleepers_ == nullptr) return nullptr;
  Waiter* sleeper = sleepers_;
  sleepers_ = sleeper->next;
  ++searching_;
  return sleeper;
}

Queue::Next Queue::thread_if_needed() {
  if (waiting_.load(std::memory_order_relaxed) <= idle_ || threads_ >= most_threads_) return Next::enough;
  ++threads_;
  ++idle_;
  return Next::start_thread;
}

Queue::Next Queue::push(Call& call, int64_t more) {
  Waiter* sleeper = nullptr;
  Next next;
  {
    const std::lock_guard lock(mutex_);
    if (call.linked) {
      call.waiting += more;
    } else {
      call.waiting = more;
      append(call);
    }
    waiting_.store(waiting_.load(std::memory_order_relaxed) + more, std::memory_order_release);
    sleeper = pop_sleeper_if_needed();
    next = thread_if_needed();
  }
  if (sleeper != nullptr) sleeper->done();
  return next;
}

void Queue::join(Worker& worker) {
  const std::lock_guard lock(mutex_);
  worker.state = Worker::State::searching;
  ++searching_;
}

Call* Queue::take(Worker& worker, bool* last) {
  Call* call;
  Waiter* sleeper = nullptr;
  {
    const std::lock_guard lock(mutex_);
    call = first();
    if (call == nullptr) {
      if (worker.state == Worker::State::busy) {
        worker.state = Worker::State::searching;
        ++idle_;
        ++searching_;
      }
      return nullptr;
    }
    *last = --call->waiting == 0;
    if (*last) drop_first(*call);
    const int64_t left = waiting_.load(std::memory_order_relaxed) - 1;
    waiting_.store(left, std::memory_order_relaxed);
    if (worker.state != Worker::State::busy) {
      worker.state = Worker::State::busy;
      --idle_;
      --searching_;
    }
    if (left > 0) sleeper = pop_sleeper_if_needed();
  }
  if (sleeper != nullptr) sleeper->done();
  return call;
}

void Queue::wait(Worker& worker) {
  bool alone;
  {
    const std::lock_guard lock(mutex_);
    alone = searching_ == 1;
  }
  const auto something = [&] { return waiting_.load(std::memory_order_acquire) > 0 || stopped(); };
  {
    sched::Spin spin(history_, alone ? sched::kSpinNanoseconds : 0);
    while (spin.again()) {
      if (!something()) continue;
      spin.found();
      return;
    }
  }
  Waiter waiter;
  {
    const std::lock_guard lock(mutex_);
    if (something()) return;
    --searching_;
    waiter.next = sleepers_;
    sleepers_ = &waiter;
  }
  waiter.wait_for_promised();
}

void Queue::leave(Worker& worker) {
  const std::lock_guard lock(mutex_);
  --threads_;
  if (worker.state == Worker::State::busy) return;
  --idle_;
  if (worker.state == Worker::State::searching) --searching_;
}

Queue::Next Queue::more_threads() {
  const std::lock_guard lock(mutex_);
  return thread_if_needed();
}

void Queue::not_started() {
  const std::lock_guard lock(mutex_);
  --threads_;
  --idle_;
}

void Queue::stop() {
  Waiter* sleepers;
  {
    const std::lock_guard lock(mutex_);
    stopped_.store(true, std::memory_order_release);
    sleepers = sleepers_;
    sleepers_ = nullptr;
    for (Waiter* sleeper = sleepers; sleeper != nullptr; sleeper = sleeper->next) ++searching_;
  }
  while (sleepers != nullptr) {
    Waiter* next = sleepers->next;
    sleepers->done();
    sleepers = next;
  }
}

Call* Queue::take_all() {
  const std::lock_guard lock(mutex_);
  Call* all = head_;
  Call** end = head_ == nullptr ? &all : &tail_->next;
  for (Sorted* sorted : {&ahead_, &behind_}) {
    for (Call* call : *sorted) {
      *end = call;
      end = &call->next;
    }
    sorted->clear();
  }
  *end = nullptr;
  for (Call* call = all; call != nullptr; call = call->next) call->linked = false;
  head_ = tail_ = nullptr;
  any_sorted_ = false;
  waiting_.store(0, std::memory_order_relaxed);
  return all;
}

bool Queue::remove(Call& call) {
  const std::lock_guard lock(mutex_);
  if (!call.linked) return false;
  if (!any_sorted_ || call.order == nullptr || ahead_.erase(&call) + behind_.erase(&call) == 0) {
    Call* before = nullptr;
    for (Call* other = head_; other != &call; other = other->next) before = other;
    (before == nullptr ? head_ : before->next) = call.next;
    if (tail_ == &call) tail_ = before;
  }
  any_sorted_ = !ahead_.empty() || !behind_.empty();
  call.linked = false;
  waiting_.store(waiting_.load(std::memory_order_relaxed) - call.waiting, std::memory_order_relaxed);
  return true;
}

int Queue::threads() {
  const std::lock_guard lock(mutex_);
  return threads_;
}

int Queue::idle() {
  const std::lock_guard lock(mutex_);
  return idle_;
}

bool Queue::has_thread_left() {
  const std::lock_guard lock(mutex_);
  return idle_ > 0 || threads_ < most_threads_;
}

bool Queue::find(const std::function<bool(const Call&)>& is_it) {
  const std::lock_guard lock(mutex_);
  for (const Call* call = head_; call != nullptr; call = call->next) {
    if (is_it(*call)) return true;
  }
  for (const Sorted* sorted : {&ahead_, &behind_}) {
    for (const Call* call : *sorted) {
      if (is_it(*call)) return true;
    }
  }
  return false;
}

void Queue::allow_another() {
  const std::lock_guard lock(mutex_);
  ++most_threads_;
}

void Queue::forget_threads() {
  threads_ = idle_ = searching_ = 0;
  sleepers_ = nullptr;
}

}  // namespace manycore::task
