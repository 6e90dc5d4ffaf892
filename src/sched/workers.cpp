#include "sched/workers.h"

#include <utility>

#include "base/lasting.h"

namespace manycore::sched {
namespace {

constexpr auto kAnything = [](const Task&) { return true; };

// A look at other threads' deques takes their cache lines from them, so only some of a spinner's rounds do.
constexpr uint32_t kRoundsPerSearch = 4;

}  // namespace

void Workers::announce(Group& group) {
  uint64_t state = state_.load(std::memory_order_seq_cst);
  while (true) {
    perturb();
    if (count(state, kSearching) > 0) return;
    if (count(state, kAsleep) > 0) {
      if (!state_.compare_exchange_weak(state, state - kAsleep + kSearching)) continue;
      wakes_.fetch_add(1);
      os::futex_wake(wakes_);
      return;
    }
    if (count(state, kUnstarted) > 0) {
      if (!state_.compare_exchange_weak(state, state - kUnstarted + kSearching)) continue;
      start_thread();
      return;
    }
    if (count(state, kWaiting) > 0) wake_who_waits(group);
    return;
  }
}

// Whoever sleeps in a wait for this group or one around it may run its tasks. Where the task is over already and so the group, somebody
// wakes for nothing.
void Workers::wake_who_waits(Group& group) {
  for (Group* each = &group; each != nullptr; each = each->parent.load(std::memory_order_relaxed)) {
    if ((each->elsewhere.load(std::memory_order_seq_cst) & Group::kAsleep) == 0) continue;
    each->elsewhere.fetch_and(~Group::kAsleep);
    os::futex_wake(each->elsewhere, os::kFutexEveryone);
    return;
  }
}

void Workers::share(Task& task) {
  Group& group = *task.group.load(std::memory_order_relaxed);
  task.next = nullptr;
  {
    const std::lock_guard lock(shared_mutex_);
    (shared_last_ == nullptr ? shared_first_ : shared_last_->next) = &task;
    shared_last_ = &task;
    shared_count_.fetch_add(1, std::memory_order_seq_cst);
  }
  announce(group);
}

template <class Wanted>
Task* Workers::take_shared(Wanted&& wanted) {
  if (shared_count_.load(std::memory_order_seq_cst) == 0) return nullptr;
  const std::lock_guard lock(shared_mutex_);
  Task* before = nullptr;
  for (Task* task = shared_first_; task != nullptr; before = task, task = task->next) {
    if (!wanted(*task)) continue;
    (before == nullptr ? shared_first_ : before->next) = task->next;
    if (shared_last_ == task) shared_last_ = before;
    shared_count_.fetch_sub(1, std::memory_order_relaxed);
    return task;
  }
  return nullptr;
}

template <class Wanted>
Task* Workers::steal(Worker& worker, Wanted&& wanted) {
  Worker* const start = worker.victim != nullptr ? worker.victim : first_.load(std::memory_order_acquire);
  Worker* victim = start;
  do {
    if (victim != &worker) {
      Task* task = nullptr;
      Steal outcome;
      while ((outcome = victim->deque.steal(&task, wanted)) == Steal::kLost) relax();
      if (outcome == Steal::kTaken) {
        worker.victim = victim;
        return task;
      }
    }
    victim = victim->next != nullptr ? victim->next : first_.load(std::memory_order_acquire);
  } while (victim != start);
  return nullptr;
}

bool Workers::any_work() {
  if (shared_count_.load(std::memory_order_seq_cst) > 0) return true;
  for (Worker* worker = first_.load(std::memory_order_acquire); worker != nullptr; worker = worker->next) {
    if (!worker->deque.looks_empty()) return true;
  }
  return false;
}

Task* Workers::search(Worker& worker) {
  const auto look = [&] {
    Task* task = take_shared(kAnything);
    return task != nullptr ? task : steal(worker, kAnything);
  };
  if (Task* task = look()) return task;
  Spin spin(worker.history);
  for (uint32_t round = 0; spin.again(); ++round) {
    if (round % kRoundsPerSearch != 0) continue;
    if (Task* task = look()) {
      spin.found();
      return task;
    }
  }
  return nullptr;
}

void Workers::stop_searching() {
  const uint64_t before = state_.fetch_sub(kSearching);
  perturb();
  if (count(before, kSearching) > 1 || !any_work()) return;
  // The last one that searched goes: who put tasks away while it did has woken nobody.
  static constinit base::Lasting<Group> nobody;
  announce(nobody.get());
}

bool Workers::sleep() {
  state_.fetch_add(kAsleep - kSearching);
  perturb();
  if (any_work()) {
    for (uint64_t state = state_.load(); count(state, kAsleep) > 0;) {
      if (state_.compare_exchange_weak(state, state - kAsleep + kSearching)) return true;
    }
    // Somebody has claimed this thread.
  }
  for (uint32_t wakes = wakes_.load();;) {
    perturb();
    if (wakes == 0) {
      os::futex_wait(wakes_, 0);
      wakes = wakes_.load();
    } else if (wakes_.compare_exchange_weak(wakes, wakes - 1)) {
      break;
    }
  }
  for (int32_t leaving = leaving_.load(); leaving > 0;) {
    if (leaving_.compare_exchange_weak(leaving, leaving - 1)) return false;
  }
  return true;
}

void Workers::run(Worker& worker) {
  const uint32_t born = generation;
  do {
    while (Task* task = search(worker)) {
      stop_searching();
      while (task != nullptr) {
        execute(worker, *task);
        if (generation != born) return;  // the task forked: in the child this thread is nobody's
        task = worker.deque.pop();
        // The last victim has more, most often; to count as searching in between would cost all who spawn.
        if (task == nullptr && worker.victim != nullptr) worker.victim->deque.steal(&task, kAnything);
      }
      state_.fetch_add(kSearching);
    }
  } while (sleep());
}

Task* Workers::find_within(Worker& worker, const Group& group, bool everywhere) {
  const auto wanted = [&](const Task& task) {
    const Group* its = task.group.load(std::memory_order_relaxed);
    return its == &group || its->is_within(&group);
  };
  if (everywhere || group.home != &worker || worker.deque.bottom() > group.floor) {
    if (Task* task = worker.deque.pop_if(wanted)) return task;
  }
  if (everywhere && worker.deque.holds(wanted)) {
    // Under others. Those go where everybody finds them.
    while (Task* task = worker.deque.pop()) {
      if (wanted(*task)) return task;
      share(*task);
    }
  }
  Task* task = take_shared(wanted);
  return task != nullptr ? task : steal(worker, wanted);
}

Task* Workers::await(Worker& worker, Group& group) {
  {
    Spin spin(worker.history);
    for (uint32_t round = 0; spin.again(); ++round) {
      Task* task = nullptr;
      if (!is_over(group) && (round % kRoundsPerSearch != 0 || (task = find_within(worker, group)) == nullptr)) continue;
      spin.found();
      return task;
    }
  }
  state_.fetch_add(kWaiting);
  group.elsewhere.fetch_add(static_cast<uint32_t>(std::exchange(group.at_home, 0)) * Group::kTask, std::memory_order_acq_rel);
  const uint32_t seen = group.elsewhere.fetch_or(Group::kAsleep) | Group::kAsleep;
  perturb();
  Task* task = nullptr;
  if (!is_over(group) && (task = find_within(worker, group, true)) == nullptr) os::futex_wait(group.elsewhere, seen);
  group.elsewhere.fetch_and(~Group::kAsleep);
  state_.fetch_sub(kWaiting);
  return task;
}

void Workers::execute(Worker& worker, Task& task) {
  Group& group = *task.group.load(std::memory_order_relaxed);
  Group* const before = std::exchange(worker.current, &group);
  worker.executed.store(worker.executed.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  try {
    task.finish(task, !is_cancelled(group));
  } catch (...) {
    fail(group);
  }
  worker.current = before;
  worker.tasks.give(&task, task_store);
  if (group.home == &worker) {
    --group.at_home;
    return;
  }
  perturb();
  const uint32_t before_end = group.elsewhere.fetch_sub(Group::kTask, std::memory_order_acq_rel);
  // Who waits may be gone with its group by now; the address does for waking it.
  if (before_end == (Group::kAsleep | Group::kTask)) os::futex_wake(group.elsewhere, os::kFutexEveryone);
}

int64_t Workers::executed() const {
  int64_t sum = 0;
  for (const Worker* worker = first_.load(std::memory_order_acquire); worker != nullptr; worker = worker->next)
    sum += worker->executed.load(std::memory_order_relaxed);
  return sum;
}

bool Workers::is_cancelled(const Group& group) const {
  if (group.generation != generation) return true;
  if (cancelled_groups.load(std::memory_order_relaxed) == 0) return false;
  for (const Group* each = &group; each != nullptr; each = each->parent.load(std::memory_order_relaxed)) {
    if ((each->marks.load(std::memory_order_relaxed) & Group::kCancelled) != 0) return true;
  }
  return false;
}

void Workers::cancel(Group& group) noexcept {
  const uint32_t before = group.marks.fetch_or(Group::kCancelled);
  if ((before & Group::kCancelled) == 0) cancelled_groups.fetch_add(1, std::memory_order_relaxed);
}

void Workers::forget_cancelling(Group& group) noexcept {
  const uint32_t before = group.marks.exchange(0);
  if ((before & Group::kCancelled) != 0) cancelled_groups.fetch_sub(1, std::memory_order_relaxed);
}

void Workers::fail(Group& group) noexcept {
  if ((group.marks.fetch_or(Group::kFailed) & Group::kFailed) == 0) group.failure = std::current_exception();
  cancel(group);
}

}  // namespace manycore::sched
