// Workers' threads: how they begin and end, and what a fork leaves of them.
#include <pthread.h>
#include <signal.h>

#include <exception>
#include <utility>

#include "base/at_fork.h"
#include "base/lasting.h"
#include "sched/parallel.h"
#include "sched/workers.h"

namespace manycore::sched {
namespace {

thread_local Worker* here_worker = nullptr;

}  // namespace

// A thread that is not ours gives its worker back when it ends.
struct ReleaseAtExit {
  ~ReleaseAtExit() {
    if (here_worker != nullptr) Workers::instance().release(*std::exchange(here_worker, nullptr));
  }
};

Workers& Workers::instance() {
  static constinit base::Lasting<Workers> workers;
  return workers.get([] { return new Workers; });
}

Workers::Workers() {
  base::at_fork(base::ForkStep::kTasks,
                {[] { instance().before_fork(); }, [] { instance().after_fork(); }, [] { instance().after_fork_in_child(); }});
}

Worker& Workers::here() {
  if (here_worker == nullptr) {
    here_worker = &instance().claim();
    thread_local ReleaseAtExit release_at_exit;
    (void)release_at_exit;
  }
  return *here_worker;
}

Worker& Workers::claim() {
  const std::lock_guard lock(threads_mutex_);
  for (Worker* worker = first_.load(std::memory_order_relaxed); worker != nullptr; worker = worker->next) {
    if (std::exchange(worker->claimed, true)) continue;
    return *worker;
  }
  auto* worker = new Worker;
  worker->next = first_.load(std::memory_order_relaxed);
  first_.store(worker, std::memory_order_release);
  return *worker;
}

void Workers::release(Worker& worker) {
  while (Task* task = worker.deque.pop()) share(*task);
  const std::lock_guard lock(threads_mutex_);
  worker.current = nullptr;
  worker.claimed = false;
}

void Workers::follow_option() {
  const int32_t threads = asked_threads();
  if (threads == limit_.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(threads_mutex_);
  const int32_t before = limit_.load(std::memory_order_relaxed);
  if (threads > before) {
    state_.fetch_add(static_cast<uint64_t>(threads - before) * kUnstarted);
  } else if (threads < before) {
    // While threads are busy they stay; a later group asks again.
    if (!end_sleeping_threads()) return;
    uint64_t state = state_.load();
    while (true) {
      const auto surplus = static_cast<uint64_t>(before - threads);
      if (count(state, kUnstarted) < surplus) return;
      if (state_.compare_exchange_weak(state, state - surplus * kUnstarted)) break;
    }
  }
  limit_.store(threads, std::memory_order_relaxed);
}

void Workers::start_thread() {
  const std::lock_guard lock(threads_mutex_);
  // Signals are for the program's threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Worker* worker = nullptr;
  try {
    for (worker = first_.load(std::memory_order_relaxed); worker != nullptr && worker->claimed;) worker = worker->next;
    if (worker == nullptr) {
      worker = new Worker;
      worker->next = first_.load(std::memory_order_relaxed);
      first_.store(worker, std::memory_order_release);
    }
    worker->claimed = true;
    worker->thread = new std::thread([this, worker] {
      here_worker = worker;
      run(*worker);
    });
    pthread_setname_np(worker->thread->native_handle(), "manycore-tasks");
    ++started_;
  } catch (const std::exception&) {
    // Those that wait run the tasks; the next task that nobody looks for tries again.
    if (worker != nullptr) worker->claimed = false;
    state_.fetch_add(kUnstarted - kSearching);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

int Workers::started() {
  const std::lock_guard lock(threads_mutex_);
  return started_;
}

int Workers::asleep() { return static_cast<int>(count(state_.load(), kAsleep)); }

// With threads_mutex_. True where no thread of ours is left; while one is busy all stay.
bool Workers::end_sleeping_threads() {
  const auto all = static_cast<uint64_t>(started_);
  if (all == 0) return true;
  uint64_t state = state_.load();
  do {
    if (count(state, kAsleep) != all || count(state, kSearching) > 0) return false;
  } while (!state_.compare_exchange_weak(state, state - all * kAsleep));
  leaving_.fetch_add(started_);
  wakes_.fetch_add(static_cast<uint32_t>(started_));
  os::futex_wake(wakes_, os::kFutexEveryone);
  for (Worker* worker = first_.load(std::memory_order_relaxed); worker != nullptr; worker = worker->next) {
    if (worker->thread == nullptr) continue;
    worker->thread->join();
    delete std::exchange(worker->thread, nullptr);
    worker->claimed = false;
  }
  started_ = 0;
  state_.fetch_add(all * kUnstarted);
  return true;
}

// Python warns of a fork beside other threads, and a program that has nothing to do with ours must not hear of them. They come back with
// the next task.
void Workers::before_fork() {
  threads_mutex_.lock();
  end_sleeping_threads();
  shared_mutex_.lock();
  task_store.mutex_for_fork().lock();
  group_store.mutex_for_fork().lock();
}

void Workers::after_fork() {
  group_store.mutex_for_fork().unlock();
  task_store.mutex_for_fork().unlock();
  shared_mutex_.unlock();
  threads_mutex_.unlock();
}

void Workers::after_fork_in_child() {
  ++generation;
  shared_first_ = shared_last_ = nullptr;
  shared_count_ = 0;
  for (Worker* worker = first_.load(); worker != nullptr; worker = worker->next) {
    worker->deque.forget();
    worker->tasks.forget();
    worker->groups.forget();
    worker->thread = nullptr;  // it does not exist here, nor may anybody join it
    worker->claimed = worker == here_worker;
    if (!worker->claimed) worker->current = nullptr;
  }
  started_ = 0;
  leaving_ = 0;
  wakes_ = 0;
  cancelled_groups = 0;
  state_ = static_cast<uint64_t>(limit_.load() - 1) * kUnstarted;
  after_fork();
}

}  // namespace manycore::sched
