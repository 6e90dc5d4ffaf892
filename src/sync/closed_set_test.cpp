#include "sync/closed_set.h"

#include <gtest/gtest.h>

namespace manycore::sync {
namespace {

Standing goes_on() { return {true, false, {}}; }
Standing waits_for(std::vector<int> wakers) { return {false, false, std::move(wakers)}; }
Standing waits_for_anyone() { return {false, true, {}}; }

TEST(ClosedSet, two_threads_that_wait_for_each_other_are_a_circle) {
  const Closed closed = find_closed({waits_for({1}), waits_for({0}), goes_on()}, true);
  ASSERT_EQ(closed.circles.size(), 1U);
  EXPECT_EQ(closed.circles[0], (std::vector<int>{0, 1}));
  EXPECT_TRUE(closed.behind.empty());
}

TEST(ClosedSet, who_waits_for_a_circle_stands_behind_it) {
  const Closed closed = find_closed({waits_for({1}), waits_for({2}), waits_for({1})}, false);
  ASSERT_EQ(closed.circles.size(), 1U);
  EXPECT_EQ(closed.circles[0], (std::vector<int>{1, 2}));
  EXPECT_EQ(closed.behind, std::vector<int>{0});
}

TEST(ClosedSet, one_waker_that_goes_on_is_enough) {
  EXPECT_TRUE(find_closed({waits_for({1, 2}), waits_for({0}), goes_on()}, false).empty());
  EXPECT_TRUE(find_closed({waits_for({1}), waits_for({2}), goes_on()}, false).empty());
}

TEST(ClosedSet, what_nobody_can_end_is_a_circle_of_its_own) {
  const Closed closed = find_closed({waits_for({}), goes_on()}, true);
  ASSERT_EQ(closed.circles.size(), 1U);
  EXPECT_EQ(closed.circles[0], std::vector<int>{0});
}

TEST(ClosedSet, what_anyone_can_end_is_stuck_only_when_nobody_goes_on) {
  EXPECT_TRUE(find_closed({waits_for_anyone(), goes_on()}, false).empty());
  EXPECT_TRUE(find_closed({waits_for_anyone(), waits_for_anyone()}, true).empty());
  const Closed closed = find_closed({waits_for_anyone(), waits_for({0})}, false);
  ASSERT_EQ(closed.circles.size(), 1U);
  EXPECT_EQ(closed.circles[0], (std::vector<int>{0, 1}));
}

TEST(ClosedSet, a_thread_that_is_released_may_be_the_anyone_of_another) {
  // 0 goes on, ends the wait of 1, and either of them that of 2.
  EXPECT_TRUE(find_closed({goes_on(), waits_for({0}), waits_for_anyone()}, false).empty());
}

TEST(ClosedSet, separate_circles_are_told_apart_and_long_chains_are_no_matter) {
  std::vector<Standing> threads{waits_for({1}), waits_for({0}), waits_for({3}), waits_for({2})};
  for (int i = 0; i < 2000; ++i) threads.push_back(waits_for({i + 3}));
  const Closed closed = find_closed(threads, true);
  EXPECT_EQ(closed.circles.size(), 2U);
  EXPECT_EQ(closed.behind.size(), 2000U);
}

TEST(ClosedSet, random_graphs_agree_with_the_definition) {
  // Stuck are those from which no thread that goes on can be reached.
  uint32_t seed = 7;
  const auto random = [&](uint32_t below) {
    seed = seed * 1664525U + 1013904223U;
    return static_cast<int>((seed >> 8) % below);
  };
  for (int round = 0; round < 2000; ++round) {
    const int count = 1 + random(9);
    std::vector<Standing> threads(static_cast<size_t>(count));
    for (Standing& thread : threads) {
      thread.goes_on = random(6) == 0;
      for (int edges = random(3); edges > 0; --edges) thread.wakers.push_back(random(static_cast<uint32_t>(count)));
    }
    std::vector<bool> free(threads.size());
    for (size_t i = 0; i < threads.size(); ++i) free[i] = threads[i].goes_on;
    for (int pass = 0; pass < count; ++pass) {
      for (size_t i = 0; i < threads.size(); ++i) {
        for (const int waker : threads[i].wakers) free[i] = free[i] || free[static_cast<size_t>(waker)];
      }
    }
    const Closed closed = find_closed(threads, false);
    std::vector<bool> stuck(threads.size(), false);
    for (const auto& circle : closed.circles) {
      for (const int i : circle) stuck[static_cast<size_t>(i)] = true;
    }
    for (const int i : closed.behind) stuck[static_cast<size_t>(i)] = true;
    for (size_t i = 0; i < threads.size(); ++i) EXPECT_EQ(stuck[i], !free[i]) << "round " << round << ", thread " << i;
  }
}

}  // namespace
}  // namespace manycore::sync
