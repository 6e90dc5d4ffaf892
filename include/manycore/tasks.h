// TaskGroup: native tasks on all cores. spawn() offers a callable to every thread of the engine; wait() runs what is left, joins the
// rest and passes the first exception on. Groups nest to any depth:
//
//   int64_t sum(const Node* node) {
//     if (node == nullptr) return 0;
//     int64_t left = 0;
//     manycore::TaskGroup group;
//     group.spawn([&] { left = sum(node->left); });
//     const int64_t right = sum(node->right);
//     group.wait();
//     return left + right + node->value;
//   }
//
// As many threads take part as the option `threads` says, whoever waits among them; they start with the first task and sleep while there
// is none. A thread that waits runs tasks of what it waits for and of groups below it, nothing else, so it may hold locks that other
// tasks want. Tasks wait for one another by wait() alone: with one thread nothing else would come to pass.
// Any thread, and tasks themselves, may spawn into a group that is not over; the one that made a group waits for it and destroys it.
// After fork() a child's tasks run on threads of its own, and what groups of the parent had open counts as cancelled there.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "manycore/export.h"

namespace manycore {

namespace sched {

class Group;
struct Worker;

// One cache line; larger closures lie elsewhere. The memory of tasks is never given back to the system, so that a thread may look at
// one that another thread has just taken.
struct alignas(64) Task {
  static constexpr size_t kInside = 40;
  void (*finish)(Task& task, bool runs);  // calls the closure, unless it is dropped, and destroys it
  std::atomic<Group*> group;
  Task* next;
  alignas(8) std::byte closure[kInside];
};

struct NewTask {
  Task* task;
  Worker* worker;
};

// All throw std::bad_alloc and nothing else, but for join().
MANYCORE_API Group* open_group();
MANYCORE_API void close_group(Group* group) noexcept;
MANYCORE_API NewTask new_task();
MANYCORE_API void drop_new_task(NewTask made) noexcept;
MANYCORE_API void spawn(NewTask made, Group* group);
MANYCORE_API bool join(Group* group);
MANYCORE_API void cancel(Group* group) noexcept;
MANYCORE_API bool is_cancelled(const Group* group) noexcept;

template <class Closure>
struct ClosureIn {
  static constexpr bool kFits = sizeof(Closure) <= Task::kInside && alignof(Closure) <= 8;

  template <class F>
  static void put(Task& task, F&& f) {
    if constexpr (kFits) {
      new (task.closure) Closure(std::forward<F>(f));
    } else {
      new (task.closure) Closure*(new Closure(std::forward<F>(f)));
    }
    task.finish = finish;
  }

  static void finish(Task& task, bool runs) {
    if constexpr (kFits) {
      struct Destroy {
        Closure& closure;
        ~Destroy() { closure.~Closure(); }
      } held{*std::launder(reinterpret_cast<Closure*>(task.closure))};
      if (runs) held.closure();
    } else {
      struct Destroy {
        Closure* closure;
        ~Destroy() { delete closure; }
      } held{*std::launder(reinterpret_cast<Closure**>(task.closure))};
      if (runs) (*held.closure)();
    }
  }
};

}  // namespace sched

class TaskGroup {
 public:
  TaskGroup() : group_(sched::open_group()) {}
  // Cancels what has not begun and waits for what has; exceptions of tasks are lost then.
  ~TaskGroup() { sched::close_group(group_); }
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // `f` is moved or copied, called once on any thread and destroyed there; its result is dropped. Some tens of nanoseconds.
  template <class F>
  void spawn(F&& f) {
    using Closure = std::decay_t<F>;
    static_assert(std::is_invocable_v<Closure&>, "spawn() takes a callable without arguments");
    const sched::NewTask made = sched::new_task();
    if constexpr (std::is_nothrow_constructible_v<Closure, F> && sched::ClosureIn<Closure>::kFits) {
      sched::ClosureIn<Closure>::put(*made.task, std::forward<F>(f));
    } else {
      try {
        sched::ClosureIn<Closure>::put(*made.task, std::forward<F>(f));
      } catch (...) {
        sched::drop_new_task(made);
        throw;
      }
    }
    sched::spawn(made, group_);
  }

  // Until every task of the group is over. Throws the first exception of one, which also cancelled those that had not begun. False
  // where the group, or one around it, was cancelled. The group can be used again.
  bool wait() { return sched::join(group_); }

  // Tasks of this group and of groups below it that have not begun never will. Any thread; tasks that run go on, and may ask.
  void cancel() noexcept { sched::cancel(group_); }
  bool is_cancelled() const noexcept { return sched::is_cancelled(group_); }

 private:
  sched::Group* group_;
};

}  // namespace manycore
