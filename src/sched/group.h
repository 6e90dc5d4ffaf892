// What a TaskGroup (manycore/tasks.h) is inside: how many of its tasks are not over, and where it stands in the tree of groups. The
// group of a task's own groups is the one that the task belongs to. Groups lie in cells, so a thief may walk a chain that is being
// replaced; where it gets the task then, the chain was alive.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>

namespace manycore::sched {

struct Worker;

class alignas(64) Group {
 public:
  // In `elsewhere`: who waits sleeps on it; the rest counts tasks, so many each.
  static constexpr uint32_t kAsleep = 1, kTask = 2;
  static constexpr uint32_t kCancelled = 1, kFailed = 2;

  // Tasks that are not over: the sum of what the thread that made the group counted and what others did, either of which alone may be
  // below 0. Before that thread sleeps it moves its part over to the others'.
  std::atomic<uint32_t> elsewhere{0};
  int32_t at_home = 0;
  std::atomic<uint32_t> marks{0};
  std::atomic<Group*> parent{nullptr};
  std::atomic<int32_t> depth{0};
  uint32_t generation = 0;  // of the process: a child of fork has another
  Worker* home = nullptr;   // whose frame made it
  int64_t floor = 0;        // its tasks lie above this in that worker's deque
  std::exception_ptr failure;
  Group* next = nullptr;

  // Asked at home; acquires what tasks elsewhere wrote.
  bool is_done() const { return (static_cast<int32_t>(elsewhere.load(std::memory_order_acquire)) >> 1) + at_home == 0; }

  // Does this group stand below `other`, or is it the same? For a chain that is not ours to read, a guess.
  bool is_within(const Group* other) const {
    const Group* group = this;
    for (int32_t up = depth.load(std::memory_order_relaxed) - other->depth.load(std::memory_order_relaxed);
         up > 0 && group != nullptr; --up) {
      group = group->parent.load(std::memory_order_relaxed);
    }
    return group == other;
  }
};

}  // namespace manycore::sched
