#include "manycore/tasks.h"

#include "sched/workers.h"

namespace manycore::sched {

Group* open_group() {
  Workers& workers = Workers::instance();
  Worker& worker = Workers::here();
  Group* parent = worker.current;
  if (parent == nullptr) workers.follow_option();
  Group* group = worker.groups.take(workers.group_store);
  group->parent.store(parent, std::memory_order_relaxed);
  group->depth.store(parent == nullptr ? 0 : parent->depth.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  group->generation = workers.generation;
  group->home = &worker;
  group->floor = worker.deque.bottom();
  return group;
}

void close_group(Group* group) noexcept {
  Workers& workers = Workers::instance();
  if (!workers.is_over(*group)) cancel(group);
  try {
    join(group);
  } catch (...) {
    // Nobody asked for it.
  }
  Workers::here().groups.give(group, workers.group_store);
}

NewTask new_task() {
  Worker& worker = Workers::here();
  return {worker.tasks.take(Workers::instance().task_store), &worker};
}

void drop_new_task(NewTask made) noexcept { made.worker->tasks.give(made.task, Workers::instance().task_store); }

void spawn(NewTask made, Group* group) {
  Workers& workers = Workers::instance();
  const auto [task, worker] = made;
  task->group.store(group, std::memory_order_relaxed);
  if (group->generation != workers.generation) {
    // A group from before a fork: cancelled here, as are its tasks.
    task->finish(*task, false);
    return drop_new_task(made);
  }
  const auto count = [group, worker](int32_t tasks) {
    if (group->home == worker) {
      group->at_home += tasks;
    } else {
      group->elsewhere.fetch_add(static_cast<uint32_t>(tasks) * Group::kTask, std::memory_order_relaxed);
    }
  };
  count(1);
  const Group* current = worker->current;
  const bool belongs = (group->home == worker && group->parent.load(std::memory_order_relaxed) == current) || current == group ||
                       (current != nullptr && current->is_within(group));
  if (!belongs) return workers.share(*task);
  try {
    worker->deque.push(task);
  } catch (...) {
    count(-1);
    task->finish(*task, false);
    drop_new_task(made);
    throw;
  }
  workers.announce(*group);
}

bool join(Group* group) {
  Workers& workers = Workers::instance();
  if (!workers.is_over(*group)) {
    Worker& worker = Workers::here();
    do {
      Task* task = workers.find_within(worker, *group);
      if (task == nullptr) task = workers.await(worker, *group);
      if (task != nullptr) workers.execute(worker, *task);
    } while (!workers.is_over(*group));
  }
  if (group->generation != workers.generation) {
    // The tasks that were open are those of the process that this one was forked from.
    group->elsewhere.store(0);
    group->at_home = 0;
    group->marks.store(0);
    group->failure = nullptr;
    group->generation = workers.generation;
    return false;
  }
  const bool complete = !workers.is_cancelled(*group);
  if (group->marks.load(std::memory_order_relaxed) == 0) return complete;
  workers.forget_cancelling(*group);
  if (group->failure) std::rethrow_exception(std::exchange(group->failure, nullptr));
  return false;
}

void cancel(Group* group) noexcept { Workers::instance().cancel(*group); }

bool is_cancelled(const Group* group) noexcept { return Workers::instance().is_cancelled(*group); }

}  // namespace manycore::sched
