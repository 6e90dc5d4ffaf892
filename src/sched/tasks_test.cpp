#include "manycore/tasks.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/options.h"
#include "os/clock.h"
#include "sched/workers.h"

namespace manycore {
namespace {

struct Threads {
  explicit Threads(int count) { base::set_option("threads", std::to_string(count)); }
  ~Threads() { base::set_option("threads", "0"); }
};

int64_t fib(int n) {
  if (n < 2) return n;
  int64_t one = 0;
  TaskGroup group;
  group.spawn([&one, n] { one = fib(n - 1); });
  const int64_t other = fib(n - 2);
  group.wait();
  return one + other;
}

void wait_until(const std::atomic<bool>& flag) {
  while (!flag.load()) std::this_thread::yield();
}

// Until the engine's threads have nothing to do and sleep.
void wait_until_asleep() {
  sched::Workers& workers = sched::Workers::instance();
  const int64_t end = os::now_nanoseconds() + 5'000'000'000;
  while (workers.asleep() < workers.started() && os::now_nanoseconds() < end) usleep(100);
  ASSERT_EQ(workers.asleep(), workers.started());
}

TEST(Tasks, recursion_gives_what_it_gives_without_tasks_on_any_number_of_threads) {
  for (int threads : {1, 2, 3, 7, 2}) {
    const Threads limit(threads);
    const int64_t before = sched::Workers::instance().executed();
    EXPECT_EQ(fib(18), 2584);
    EXPECT_EQ(sched::Workers::instance().executed() - before, 4180);  // one for each call that is no leaf
  }
}

TEST(Tasks, the_option_threads_ends_threads_that_sleep) {
  wait_until_asleep();
  {
    const Threads limit(4);
    std::atomic<int> together{0};
    TaskGroup group;
    for (int i = 0; i < 4; ++i) {
      group.spawn([&] {
        together.fetch_add(1);
        while (together.load() < 4) std::this_thread::yield();
      });
    }
    EXPECT_TRUE(group.wait());
    EXPECT_EQ(sched::Workers::instance().started(), 3);
  }
  wait_until_asleep();
  const Threads limit(1);
  TaskGroup group;
  EXPECT_EQ(sched::Workers::instance().started(), 0);
  const std::thread::id here = std::this_thread::get_id();
  std::atomic<int> elsewhere{0};
  for (int i = 0; i < 100; ++i) group.spawn([&] { elsewhere += std::this_thread::get_id() != here; });
  group.wait();
  EXPECT_EQ(elsewhere.load(), 0);
}

TEST(Tasks, large_and_move_only_closures_are_called_once_and_destroyed) {
  const auto counted = std::make_shared<int>(0);
  std::atomic<int64_t> sum{0};
  {
    TaskGroup group;
    for (int i = 0; i < 1000; ++i) {
      group.spawn([counted, &sum, owned = std::make_unique<int>(i)] { sum += *owned; });
      std::array<int64_t, 20> large{};
      large[19] = i;
      group.spawn([counted, &sum, large] { sum += large[19]; });
    }
    group.wait();
  }
  EXPECT_EQ(sum.load(), 999 * 1000);
  EXPECT_EQ(counted.use_count(), 1);
}

// Tasks of a random tree of groups spawn into their own groups, into those around them and into one of another thread.
struct Random {
  std::atomic<int64_t> tasks{0};
  int64_t expected(unsigned seed, int depth) {
    std::minstd_rand random(seed);
    int64_t all = 1;
    if (depth == 0) return all;
    for (auto children = random() % 4; children > 0; --children) all += expected(static_cast<unsigned>(random()), depth - 1);
    return all;
  }
  void run(unsigned seed, int depth, TaskGroup& outer, TaskGroup& foreign) {
    tasks.fetch_add(1);
    if (depth == 0) return;
    std::minstd_rand random(seed);
    TaskGroup own;
    for (auto children = random() % 4; children > 0; --children) {
      const auto next = static_cast<unsigned>(random());
      TaskGroup* into[] = {&own, &own, &outer, &foreign};
      TaskGroup& chosen = *into[next / 8 % 4];
      // What goes into a group around may outlive this frame, so it is told of that group and not of this frame's.
      TaskGroup& around = &chosen == &own ? own : chosen;
      chosen.spawn([this, next, depth, &around, &foreign] { run(next, depth - 1, around, foreign); });
      if (next % 8 == 0) own.wait();
    }
    own.wait();
  }
};

TEST(Tasks, random_trees_of_spawns_into_groups_near_and_far_are_complete) {
  const Threads limit(3);
  for (unsigned seed = 1; seed <= 60; ++seed) {
    Random all;
    TaskGroup foreign, own;
    std::atomic<bool> spawned{false};
    std::thread other([&] {
      TaskGroup theirs;
      theirs.spawn([&] { all.run(seed + 1000, 9, theirs, foreign); });
      theirs.wait();
      spawned = true;
    });
    own.spawn([&] { all.run(seed, 9, own, foreign); });
    own.wait();
    other.join();
    foreign.wait();
    EXPECT_EQ(all.tasks.load(), all.expected(seed, 9) + all.expected(seed + 1000, 9)) << "seed " << seed;
  }
}

TEST(Tasks, an_exception_reaches_the_join_once_and_what_has_not_begun_is_dropped) {
  const Threads limit(2);
  TaskGroup group;
  std::atomic<int> ran{0};
  group.spawn([&] {
    TaskGroup inner;
    inner.spawn([] { throw std::runtime_error("one task's"); });
    inner.wait();
    ADD_FAILURE() << "the exception went missing";
  });
  try {
    group.wait();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "one task's");
  }
  EXPECT_FALSE(group.is_cancelled());
  group.spawn([&] { ran.fetch_add(1); });
  EXPECT_TRUE(group.wait());
  EXPECT_EQ(ran.load(), 1);
  EXPECT_EQ(sched::Workers::instance().cancelled_groups.load(), 0);
}

TEST(Tasks, cancelling_drops_what_has_not_begun_here_and_below) {
  wait_until_asleep();
  const Threads limit(1);
  TaskGroup group;
  int ran = 0;
  const auto held = std::make_shared<int>(0);
  for (int i = 0; i < 10; ++i) group.spawn([&ran, held] { ++ran; });
  group.spawn([&] {
    TaskGroup inner;
    inner.spawn([&] { ++ran; });
    group.cancel();
    EXPECT_TRUE(inner.is_cancelled());
    EXPECT_FALSE(inner.wait());
  });
  EXPECT_FALSE(group.wait());
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_FALSE(group.is_cancelled());
}

TEST(Tasks, the_end_of_a_group_cancels_and_waits) {
  const Threads limit(2);
  std::atomic<bool> began{false}, ended{false};
  try {
    TaskGroup group;
    group.spawn([&] {
      began = true;
      while (!group.is_cancelled()) std::this_thread::yield();
      ended = true;
    });
    wait_until(began);
    throw std::runtime_error("the frame is left");
  } catch (const std::runtime_error&) {
  }
  EXPECT_TRUE(ended.load());
}

TEST(Tasks, a_task_starts_without_a_wait_while_others_block) {
  const Threads limit(3);
  std::atomic<bool> second{false}, third{false};
  TaskGroup group;
  group.spawn([&] { wait_until(second); });
  group.spawn([&] {
    second = true;
    wait_until(third);
  });
  wait_until(second);
  third = true;
  EXPECT_TRUE(group.wait());
  // Again, from threads that sleep.
  wait_until_asleep();
  second = false;
  group.spawn([&] { second = true; });
  wait_until(second);
  group.wait();
}

// A waiting thread runs nothing that it does not wait for: here that would take a lock that it holds.
TEST(Tasks, who_waits_runs_only_what_it_waits_for) {
  const Threads limit(2);
  std::mutex mutex;
  TaskGroup outer;
  std::atomic<int> locked{0};
  for (int i = 0; i < 200; ++i) {
    const std::lock_guard lock(mutex);
    outer.spawn([&] {
      const std::lock_guard inner_lock(mutex);
      locked.fetch_add(1);
    });
    EXPECT_EQ(fib(8), 21);
  }
  outer.wait();
  EXPECT_EQ(locked.load(), 200);
}

TEST(Tasks, tasks_under_others_in_the_own_deque_are_found) {
  wait_until_asleep();
  const Threads limit(1);
  TaskGroup outer;
  int inner_ran = 0, outer_ran = 0;
  TaskGroup inner;
  inner.spawn([&] { ++inner_ran; });
  for (int i = 0; i < 5; ++i) outer.spawn([&] { ++outer_ran; });
  inner.wait();
  EXPECT_EQ(inner_ran, 1);
  EXPECT_EQ(outer_ran, 0);
  outer.wait();
  EXPECT_EQ(outer_ran, 5);
}

TEST(Tasks, many_threads_use_groups_at_once_and_end) {
  const Threads limit(3);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::thread> threads;
    std::atomic<int64_t> sum{0};
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { sum += fib(12); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(sum.load(), 4 * 144);
  }
}

// Everything at once: groups that fail, that are cancelled from outside, that are left, that sleep in between.
TEST(Tasks, stress) {
  const Threads limit(4);
  std::minstd_rand random(11);
  for (int round = 0; round < 300; ++round) {
    const auto choice = random() % 5;
    const auto held = std::make_shared<int>(0);
    std::atomic<int> ran{0};
    {
      TaskGroup group;
      for (int i = 0; i < 64; ++i) {
        group.spawn([&, held, i] {
          ran.fetch_add(1);
          if (choice == 0 && i == 40) throw std::runtime_error("forty");
          if (choice == 1 && i == 20) group.cancel();
          if (i % 16 == 0 && fib(5) != 5 && !group.is_cancelled()) ADD_FAILURE();
        });
        if (i % 32 == 0 && choice == 2) usleep(200);
      }
      if (choice == 0) {
        EXPECT_THROW(group.wait(), std::runtime_error);
      } else if (choice != 4) {
        EXPECT_EQ(group.wait(), choice != 1);
      }
    }
    if (choice == 2 || choice == 3) {
      EXPECT_EQ(ran.load(), 64);
    }
    EXPECT_EQ(held.use_count(), 1);
  }
  EXPECT_EQ(sched::Workers::instance().cancelled_groups.load(), 0);
}

#if !defined(__SANITIZE_THREAD__)  // which has a thread of its own, with work
TEST(Tasks, threads_without_work_take_no_time) {
  const Threads limit(4);
  EXPECT_EQ(fib(16), 987);
  wait_until_asleep();
  const auto used = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  };
  const int64_t before = used();
  usleep(300'000);
  EXPECT_LT(used() - before, 3'000);
}

// Nor does it know threads after a fork.
int ended_with(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Tasks, a_child_starts_anew_and_the_parent_goes_on) {
  const Threads limit(3);
  EXPECT_EQ(fib(16), 987);
  wait_until_asleep();
  const pid_t child = fork();
  if (child == 0) {
    const bool none = sched::Workers::instance().started() == 0;
    const bool right = fib(20) == 6765;
    _exit(none && right && sched::Workers::instance().started() > 0 ? 42 : 1);
  }
  EXPECT_EQ(sched::Workers::instance().started(), 0) << "threads that sleep end around a fork";
  EXPECT_EQ(fib(16), 987);
  EXPECT_EQ(ended_with(child), 42);
}

TEST(Tasks, what_was_open_at_a_fork_counts_as_cancelled_in_the_child) {
  const Threads limit(2);
  std::atomic<bool> began{false}, go{false};
  TaskGroup group;
  group.spawn([&] {
    began = true;
    wait_until(go);
  });
  wait_until(began);
  group.spawn([&] { go.load(); });
  const pid_t child = fork();
  if (child == 0) {
    const bool cancelled = group.is_cancelled() && !group.wait() && !group.is_cancelled();
    bool ran = false;
    group.spawn([&] { ran = true; });
    _exit(cancelled && group.wait() && ran ? 42 : 1);
  }
  go = true;
  EXPECT_TRUE(group.wait());
  EXPECT_EQ(ended_with(child), 42);
}

TEST(Tasks, a_task_may_fork) {
  const Threads limit(2);
  int status = -1;
  TaskGroup group;
  group.spawn([&] {
    const pid_t child = fork();
    if (child == 0) _exit(fib(15) == 610 ? 42 : 1);
    status = ended_with(child);
  });
  EXPECT_EQ(fib(15), 610);
  group.wait();
  EXPECT_EQ(status, 42);
}
#endif

#if defined(MANYCORE_PERTURB)
TEST(Tasks, these_tests_were_perturbed) {
  fib(14);
  EXPECT_GT(sched::perturbed_steps.load(), 0u);
}
#endif

}  // namespace
}  // namespace manycore
