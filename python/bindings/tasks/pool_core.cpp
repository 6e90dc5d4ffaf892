#include "bindings/tasks/pool_core.h"

#include <pthread.h>

#include <algorithm>
#include <mutex>

#include "bindings/locks/known_wait.h"
#include "bindings/tasks/interpreter.h"
#include "bindings/tasks/map_run.h"
#include "bindings/tasks/may_wait.h"
#include "bindings/tasks/task_report.h"
#include "bindings/tasks/task_seat.h"
#include "os/clock.h"
#include "sched/spin.h"

namespace manycore::python::tasks {
namespace {

PoolCore* pools = nullptr;
uint32_t generation = 0;
bool ends = false;
int64_t tasks = 0;

// How long a thread that found work waits for the submitter to let go of the GIL by itself, as it does in result().
constexpr int64_t kPatience = 10'000;

// Guards the list of pools against forks by threads without the GIL.
std::mutex pools_mutex;

// Inside of fork() itself: Python's own hooks let other threads run, which would then wait for these mutexes with the GIL.
void lock_pools() {
  pools_mutex.lock();
  for (PoolCore* pool = pools; pool != nullptr; pool = pool->next) pool->queue.lock_for_fork();
}

void unlock_pools() {
  for (PoolCore* pool = pools; pool != nullptr; pool = pool->next) pool->queue.unlock_after_fork();
  pools_mutex.unlock();
}

PyObject* run_worker(PyObject* capsule, PyObject*) {
  auto* core = static_cast<PoolCore*>(PyCapsule_GetPointer(capsule, nullptr));
  if (core == nullptr) return nullptr;
  core->hold();
  core->work();
  core->drop();
  Py_RETURN_NONE;
}

PyMethodDef worker_method = {"work", run_worker, METH_NOARGS, "Run tasks until the pool ends."};

void drop_core(PyObject* capsule) { static_cast<PoolCore*>(PyCapsule_GetPointer(capsule, nullptr))->drop(); }

void run_taken(PoolCore& pool, task::Call* call, Wakeups& later) {
  ++tasks;
  const MayNotWait task;
  const TaskSeat seat(pool);
  if (auto* map = as_map(call)) {
    run_map_item(map, later);
  } else {
    run_call(static_cast<PythonCall*>(call), later);
  }
}

}  // namespace

PoolCore::PoolCore(int most_threads) : queue(most_threads) {
  sched::most_spinning_threads();
  const std::lock_guard lock(pools_mutex);
  next = pools;
  place = &pools;
  if (next != nullptr) next->place = &next;
  pools = this;
}

PoolCore::~PoolCore() {
  const std::lock_guard lock(pools_mutex);
  *place = next;
  if (next != nullptr) next->place = place;
}

void PoolCore::drop() {
  if (--holders == 0) delete this;
}

bool PoolCore::start_thread() {
  hold();
  const Reference capsule(PyCapsule_New(this, nullptr, drop_core));
  if (!capsule) drop();
  const Reference target(capsule ? PyCFunction_New(&worker_method, capsule.get()) : nullptr);
  const Reference started(target ? PyObject_CallOneArg(start.get(), target.get()) : nullptr);
  if (!started) queue.not_started();
  return static_cast<bool>(started);
}

bool PoolCore::submit(task::Call& call, int64_t more) {
  releases_at_push.store(interpreter_releases.load(std::memory_order_relaxed), std::memory_order_relaxed);
  for (task::Queue::Next next = queue.push(call, more); next == task::Queue::Next::start_thread; next = queue.more_threads()) {
    if (start_thread()) continue;
    // The threads that there are do the work; without any it would wait for ever.
    if (queue.threads() == 0 && queue.remove(call)) return false;
    PyErr_Clear();
    break;
  }
  return true;
}

void PoolCore::count_running(int more) {
  running += more;
  claim.set(static_cast<int>(std::min<int64_t>(running + queue.waiting(), queue.most_threads())));
}

bool PoolCore::initialize_thread() {
  if (!initializer) return true;
  if (Reference(PyObject_Call(initializer.get(), arguments.get(), nullptr))) return true;
  log_critical("Exception in initializer:", take_raised().get());
  broken = Reference(PyUnicode_FromString("A thread initializer failed, the thread pool is not usable anymore"));
  const Reference error(broken ? PyObject_CallOneArg(broken_error.get(), broken.get()) : nullptr);
  if (error) fail_waiting(error.get());
  return false;
}

void PoolCore::wait_for_work(task::Queue::Worker& worker, Wakeups& later) {
  locks::this_thread()->idle = this;
  PyThreadState* state = release_interpreter();
  later.wake();
  queue.wait(worker);
  const uint32_t seen = releases_at_push.load(std::memory_order_relaxed);
  const auto is_held = [&] { return !queue.stopped() && interpreter_releases.load(std::memory_order_acquire) == seen; };
  if (is_held()) {
    sched::Spin patience(patience_, kPatience);
    while (patience.again()) {
      if (is_held()) continue;
      patience.found();
      break;
    }
  }
  take_gil(state);
  locks::this_thread()->idle = nullptr;
}

void PoolCore::work() {
  const uint32_t born = generation;
  task::Queue::Worker worker;
  if (!initialize_thread()) {
    queue.leave(worker);
    return;
  }
  queue.join(worker);
  workers.push_back(locks::this_thread());
  Wakeups later;
  Turn turn;
  while (true) {
    bool last = false;
    task::Call* call = queue.take(worker, &last);
    if (call == nullptr) {
      if (queue.stopped()) break;
      wait_for_work(worker, later);
      turn.begin();
      continue;
    }
    // The queue lets go of a map with the last item; until then whoever runs an item holds it too.
    if (auto* map = as_map(call); map != nullptr && !last) ++map->holders;
    run_taken(*this, call, later);
    if (born != generation) return;  // the task forked: in the child this thread is no worker
    if (queue.waiting() > 0) later.wake();
    if (turn.is_over()) {
      later.wake();
      turn.yield();
    }
  }
  queue.leave(worker);
  std::erase(workers, locks::this_thread());
}

int PoolCore::refuse_when_closed() const {
  if (broken) {
    const Reference error(PyObject_CallOneArg(broken_error.get(), broken.get()));
    if (error) raise(error.get());
  } else if (shut_down) {
    PyErr_SetString(PyExc_RuntimeError, "cannot schedule new futures after shutdown");
  } else if (ends) {
    PyErr_SetString(PyExc_RuntimeError, "cannot schedule new futures after interpreter shutdown");
  } else {
    return 0;
  }
  return -1;
}

void PoolCore::fail_waiting(PyObject* exception) {
  for (task::Call* call = queue.take_all(); call != nullptr;) {
    task::Call* after = call->next;
    if (auto* map = as_map(call)) {
      fail_map(map, exception);
    } else {
      fail_call(static_cast<PythonCall*>(call), exception);
    }
    call = after;
  }
}

void PoolCore::cancel_waiting() {
  for (task::Call* call = queue.take_all(); call != nullptr;) {
    task::Call* after = call->next;
    if (auto* map = as_map(call)) {
      cancel_map(map);
    } else {
      cancel_call(static_cast<PythonCall*>(call));
    }
    call = after;
  }
}

// In a forked child: what waited runs in the parent. No callback is told, since they are the parent's too.
void PoolCore::forget_waiting() {
  for (task::Call* call = queue.take_all(); call != nullptr;) {
    task::Call* after = call->next;
    if (auto* map = as_map(call)) {
      cancel_map(map);
    } else {
      auto* python_call = static_cast<PythonCall*>(call);
      FutureFields& fields = fields_of(python_call->future);
      if (fields.state == FutureState::kPending) fields.state = FutureState::kCancelledAndNotified;
      free_call(python_call);
    }
    call = after;
  }
}

bool watch_forks() { return pthread_atfork(lock_pools, unlock_pools, unlock_pools) == 0; }

PoolCore* first_pool() { return pools; }

void stop_all_pools() {
  ends = true;
  for (PoolCore* pool = pools; pool != nullptr; pool = pool->next) pool->queue.stop();
}

uint32_t process_generation() { return generation; }

bool interpreter_ends() { return ends; }

void after_fork_in_child() {
  ++generation;
  forget_report();
  sched::forget_spinning_threads();
  sched::forget_claims();
  for (PoolCore* pool = pools; pool != nullptr; pool = pool->next) {
    pool->queue.forget_threads();
    pool->workers.clear();
    pool->running = 0;
    pool->claim.forget();
    pool->forget_waiting();
  }
}

int64_t tasks_run() { return tasks; }

}  // namespace manycore::python::tasks
