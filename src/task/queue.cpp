#include "task/queue.h"

namespace manycore::task {

void Queue::append(Call& call) {
  call.next = nullptr;
  call.linked = true;
  (tail_ == nullptr ? head_ : tail_->next) = &call;
  tail_ = &call;
}

void Queue::drop_head() {
  Call* call = head_;
  head_ = call->next;
  if (head_ == nullptr) tail_ = nullptr;
  call->linked = false;
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
    call = head_;
    if (call == nullptr) {
      if (worker.state == Worker::State::busy) {
        worker.state = Worker::State::searching;
        ++idle_;
        ++searching_;
      }
      return nullptr;
    }
    *last = --call->waiting == 0;
    if (*last) drop_head();
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
  for (Call* call = all; call != nullptr; call = call->next) call->linked = false;
  head_ = tail_ = nullptr;
  waiting_.store(0, std::memory_order_relaxed);
  return all;
}

bool Queue::remove(Call& call) {
  const std::lock_guard lock(mutex_);
  if (!call.linked) return false;
  Call* before = nullptr;
  for (Call* other = head_; other != &call; other = other->next) before = other;
  (before == nullptr ? head_ : before->next) = call.next;
  if (tail_ == &call) tail_ = before;
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

void Queue::forget_threads() {
  threads_ = idle_ = searching_ = 0;
  sleepers_ = nullptr;
}

}  // namespace manycore::task
