// The threads that run native tasks (manycore/tasks.h), and what they share. Each thread that spawns has a Worker: a deque of tasks and
// free memory for more. The threads of the engine (one less than the option `threads`: who waits takes part) start when there is a task
// that nobody looks for, look for work as long as there is some, spin for at most 50 us, then sleep.
//
// One word counts who is searching, asleep or not yet started, and who sleeps in a wait(). A thread that has put a task into a deque reads
// it: where somebody searches, nothing more is to do; else one sleeper is claimed and woken. A searcher that leaves the search looks once
// more: whoever saw it searching has put its task where it looks now. All of that is sequentially consistent.
//
// A task that is spawned by somebody who does not belong to its group goes to the shared list, where those who wait for that group
// find it whatever else its spawner does. So every task that is awaited is within reach of one who may run it.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>

#include "manycore/tasks.h"
#include "os/futex.h"
#include "sched/cells.h"
#include "sched/deque.h"
#include "sched/group.h"
#include "sched/spin.h"

namespace manycore::sched {

struct alignas(64) Worker {
  Deque<Task> deque;
  Group* current = nullptr;  // of the task that this thread runs
  Cells<Task> tasks;
  Cells<Group> groups;
  Worker* victim = nullptr;  // where it stole last
  SpinHistory history;
  std::atomic<int64_t> executed{0};  // tasks, written by the thread that has claimed it
  Worker* next = nullptr;            // of all that there ever were
  bool claimed = true;               // by a thread
  std::thread* thread = nullptr;     // where it is the engine's
};

class Workers {
 public:
  MANYCORE_API static Workers& instance();  // lasts as long as the process

  // The calling thread's, made on first use.
  static Worker& here();

  // The option `threads` in force; asked where a tree of groups begins.
  void follow_option();

  // A task of the group was put into a deque or the shared list: wake one who may run it, where nobody looks for work.
  void announce(Group& group);
  // Puts a task where all that wait look for it.
  void share(Task& task);
  void execute(Worker& worker, Task& task);
  // A task within the group, its own or another's; null where there is none in sight. `everywhere`: below others in the own deque too.
  Task* find_within(Worker& worker, const Group& group, bool everywhere = false);
  // Returns at the end of the group or with a task within it.
  Task* await(Worker& worker, Group& group);

  bool is_over(const Group& group) const { return group.is_done() || group.generation != generation; }
  bool is_cancelled(const Group& group) const;
  void fail(Group& group) noexcept;
  void cancel(Group& group) noexcept;
  void forget_cancelling(Group& group) noexcept;

  CellStore<Task> task_store;
  CellStore<Group> group_store;
  uint32_t generation = 1;                   // changes in a child of fork only, while it has one thread
  std::atomic<int32_t> cancelled_groups{0};  // while there are none, nobody asks

  // Tasks that were run or found cancelled, by all threads so far.
  MANYCORE_API int64_t executed() const;

  // For tests: threads that were started, and those of them that sleep.
  int started();
  int asleep();

 private:
  // Counts in `state_`, each of 16 bits.
  static constexpr uint64_t kSearching = 1, kAsleep = uint64_t{1} << 16, kUnstarted = uint64_t{1} << 32,
                            kWaiting = uint64_t{1} << 48;
  static uint64_t count(uint64_t state, uint64_t unit) { return state / unit & 0xffff; }

  Workers();
  Worker& claim();
  void release(Worker& worker);
  void start_thread();
  void run(Worker& worker);
  Task* search(Worker& worker);
  bool sleep();  // false: the thread shall end
  void stop_searching();
  bool any_work();
  bool end_sleeping_threads();
  template <class Wanted>
  Task* steal(Worker& worker, Wanted&& wanted);
  template <class Wanted>
  Task* take_shared(Wanted&& wanted);
  static void wake_who_waits(Group& group);
  void before_fork();
  void after_fork();
  void after_fork_in_child();
  friend struct ReleaseAtExit;

  alignas(64) std::atomic<uint64_t> state_{0};
  alignas(64) std::atomic<uint32_t> wakes_{0};  // claimed sleepers that have not got up yet; they sleep on it
  std::atomic<int32_t> leaving_{0};             // so many of those shall end
  std::atomic<Worker*> first_{nullptr};
  std::atomic<int32_t> limit_{1};  // threads that may take part
  std::mutex threads_mutex_;       // starting and ending of threads, claims of workers
  int started_ = 0;
  alignas(64) std::atomic<int64_t> shared_count_{0};
  std::mutex shared_mutex_;
  Task* shared_first_ = nullptr;
  Task* shared_last_ = nullptr;
};

}  // namespace manycore::sched
