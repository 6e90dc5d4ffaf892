#include "sched/budget.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/options.h"
#include "sched/parallel.h"

namespace manycore::sched {
namespace {

struct Threads {
  explicit Threads(int count) { base::set_option("threads", std::to_string(count)); }
  ~Threads() { base::set_option("threads", "0"); }
};

TEST(Budget, IsSharedByTheTasksThatRun) {
  const Threads option(8);
  EXPECT_EQ(share(), 8);
  Claim one, other;
  one.set(1);
  EXPECT_EQ(share(), 7) << "what a task leaves";
  {
    const InTask task;
    EXPECT_EQ(share(), 8) << "the only task";
    other.set(2);
    EXPECT_EQ(claimed(), 3);
    EXPECT_EQ(share(), 2);
    other.set(100);
    EXPECT_EQ(share(), 1) << "never none";
  }
  EXPECT_EQ(share(), 1);
  other.set(0);
  one.set(0);
  EXPECT_EQ(claimed(), 0);
}

TEST(Budget, OfAWorkerIsWhatItsProgramLeaves) {
  const Threads option(8);
  limit_budget(2, false);
  EXPECT_TRUE(is_nested());
  EXPECT_EQ(budget(), 2);
  EXPECT_EQ(thread_count(), 2);
  limit_budget(16, false);
  EXPECT_EQ(budget(), 8) << "a part is no more than all";
  limit_budget(16, true);
  EXPECT_EQ(budget(), 16) << "somebody has asked for these";
  limit_budget(0, false);
  EXPECT_FALSE(is_nested());
  EXPECT_EQ(budget(), 8);
}

TEST(Budget, PoolsOfATaskGetItsShare) {
  const Threads option(8);
  Claim claim;
  claim.set(4);
  EXPECT_EQ(share_for_pools(), 8);
  const InTask task;
  EXPECT_EQ(share_for_pools(), 2);
}

// The most threads that were inside of a loop's chunks at once.
int threads_in_loop() {
  std::mutex mutex;
  std::set<std::thread::id> seen;
  parallel_for(64, 1, [&](int64_t, int64_t) {
    {
      const std::lock_guard lock(mutex);
      seen.insert(std::this_thread::get_id());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  return static_cast<int>(seen.size());
}

TEST(Budget, LoopsOfTasksTakeTheirShare) {
  const Threads option(4);
  Claim claim;
  claim.set(2);
  std::atomic<int> most{0};
  std::vector<std::thread> tasks;
  for (int i = 0; i < 2; ++i) {
    tasks.emplace_back([&] {
      const InTask task;
      for (int round = 0; round < 5; ++round) {
        const int found = threads_in_loop();
        int before = most.load();
        while (found > before && !most.compare_exchange_weak(before, found)) {
        }
      }
    });
  }
  for (std::thread& task : tasks) task.join();
  EXPECT_EQ(most.load(), 2);
  claim.set(4);
  const InTask task;
  EXPECT_EQ(threads_in_loop(), 1);
}

}  // namespace
}  // namespace manycore::sched
