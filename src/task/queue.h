// The calls that wait for a thread of one pool, in order of arrival, and the pool's threads that wait for calls.
//
// A thread is busy, searching (awake, looking for work) or asleep. A submit wakes a sleeper only where nobody searches; who takes a
// call and sees more wakes the next before it runs its own, so calls that block get a thread each and calls that do not cost one
// wake-up in all. The thread that slept last is woken first: its stack is still in the cache.
//
// Calls stand in the order of their arrival; those with a priority or a deadline (a latest start) before or behind the others, by priority,
// then the earlier deadline, then arrival. The queue only sorts: whoever takes a call looks whether its time has passed.
//
// Calls are the caller's; the queue links them. Any thread may call anything; one mutex, held for a few instructions. What was
// written before push() is seen by whoever take()s the call.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>
#include <set>

#include "manycore/export.h"
#include "sched/spin.h"
#include "task/waiter.h"

namespace manycore::task {

// What a call says of its place; as long as the call is linked nobody changes it.
struct Order {
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  int64_t priority = 0;       // higher ones go first
  int64_t deadline = kNever;  // of the monotonic clock
  uint64_t arrival = 0;       // the queue's
  bool sorts() const { return priority != 0 || deadline != kNever; }
};

// One submission: one call, or many that are taken one by one (a map) and stay at the head of the queue until none is left.
struct Call {
  Call* next = nullptr;
  int64_t waiting = 1;  // how often it can still be taken; the queue's while it is linked
  bool linked = false;
  uint8_t kind = 0;        // for the pool that the queue belongs to
  Order* order = nullptr;  // null: priority 0 and no deadline
};

class Queue {
 public:
  // One thread's standing. Whoever started it was told to by push() or more_threads(), which counted it in.
  struct Worker {
    enum class State : uint8_t { starting, searching, busy } state = State::starting;
  };
  enum class Next { enough, start_thread };

  explicit Queue(int most_threads) : most_threads_(most_threads) {}
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // `start_thread`: no thread is idle for it and there may be one more, which is counted already. `more` is added to what waits.
  MANYCORE_API Next push(Call& call, int64_t more = 1);
  // The worker's initializer has run: it searches from now on.
  MANYCORE_API void join(Worker& worker);
  // The next call, or null where there is none: then the worker is searching and should wait(). `last` tells that the call is out of
  // the queue and the worker's alone.
  MANYCORE_API Call* take(Worker& worker, bool* last);
  // Until there may be work or the queue is stopped. Spins shortly where nobody else of this pool does.
  MANYCORE_API void wait(Worker& worker);
  // The worker ends; it is counted no more.
  MANYCORE_API void leave(Worker& worker);
  // Whether what waits wants one thread more, which is counted then. Only submitters start threads: programs look through the set of
  // a pool's threads after their last submit.
  MANYCORE_API Next more_threads();
  // A thread that was counted could not be started.
  MANYCORE_API void not_started();

  // Workers end once the queue is empty.
  MANYCORE_API void stop();
  // Everything that waits, linked by `next`; the queue is empty then.
  MANYCORE_API Call* take_all();
  // Takes a call out before it is taken up; false where it is not in the queue.
  MANYCORE_API bool remove(Call& call);

  int most_threads() const { return most_threads_; }
  bool stopped() const { return stopped_.load(std::memory_order_relaxed); }
  int64_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  // Threads that are counted, and those of them that are idle.
  MANYCORE_API int threads();
  MANYCORE_API int idle();
  // Is a thread idle, or could there be another?
  MANYCORE_API bool has_thread_left();
  // Whether a call that waits answers true.
  MANYCORE_API bool find(const std::function<bool(const Call&)>& is_it);
  // There may be one thread more than before.
  MANYCORE_API void allow_another();

  // Around a fork: nobody else is inside. In the child every thread but the calling one is gone: forget_threads() after unlock().
  void lock_for_fork() { mutex_.lock(); }
  void unlock_after_fork() { mutex_.unlock(); }
  MANYCORE_API void forget_threads();

 private:
  struct Sooner {
    bool operator()(const Call* one, const Call* other) const;
  };
  using Sorted = std::set<Call*, Sooner>;

  void append(Call& call);
  bool insert_sorted(Call& call) noexcept;
  // The next call to take, or null.
  Call* first() const;
  void drop_first(Call& call);
  // With the mutex: the sleeper to wake, or null.
  Waiter* pop_sleeper_if_needed();
  Next thread_if_needed();

  int most_threads_;
  std::mutex mutex_;
  Call* head_ = nullptr;
  Call* tail_ = nullptr;
  // Those that do not stand in the list: ahead of all in it, and behind.
  Sorted ahead_, behind_;
  bool any_sorted_ = false;
  uint64_t arrivals_ = 0;
  Waiter* sleepers_ = nullptr;
  int threads_ = 0;
  int idle_ = 0;       // searching, asleep or starting
  int searching_ = 0;  // awake and looking
  std::atomic<int64_t> waiting_{0};
  std::atomic<bool> stopped_{false};
  sched::SpinHistory history_;
};

}  // namespace manycore::task
