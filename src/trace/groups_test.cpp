#include "trace/groups.h"

#include <gtest/gtest.h>

#include <thread>

namespace manycore::trace {
namespace {

void run_group(uint64_t site, const char* apart, const GroupBytes& bytes) {
  GroupRun run({{site, "add"}, {site + 1, "sum"}}, apart);
  { const Working working(&run); }
  { const Working working(&run); }  // a second piece of the same run
  run.finish(10, bytes);
}

TEST(Groups, EqualOnesAreAddedUpAndOthersKeptApart) {
  forget_groups();
  for (int i = 0; i < 3; ++i) run_group(1, "", {8, 4, 2});
  run_group(5, "another shape", {1, 1, 1});
  const GroupReport report = group_report();
  ASSERT_EQ(report.kinds.size(), 2u);
  EXPECT_EQ(report.kinds[0].runs, 3);
  EXPECT_EQ(report.kinds[0].elements, 30);
  EXPECT_EQ(report.kinds[0].bytes.read, 24);
  EXPECT_EQ(report.kinds[0].bytes.saved, 6);
  EXPECT_EQ(report.kinds[0].threads, 1);
  EXPECT_STREQ(report.kinds[1].apart, "another shape");
  forget_groups();
  EXPECT_TRUE(group_report().kinds.empty());
}

TEST(Groups, ARingKeepsTheNewestSlicesInOrderAndThePiecesOfARunAreOne) {
  forget_groups();
  for (size_t i = 0; i < kSlices + 100; ++i) run_group(1, "", {});
  size_t longest = 0;
  for (const Lane& lane : group_report().lanes) {
    longest = std::max(longest, lane.slices.size());
    for (size_t i = 1; i < lane.slices.size(); ++i) {
      EXPECT_LT(lane.slices[i - 1].run, lane.slices[i].run);
      EXPECT_LE(lane.slices[i - 1].end, lane.slices[i].begin);
    }
  }
  EXPECT_EQ(longest, kSlices);
  forget_groups();
}

TEST(Groups, WhoHelpsIsCountedAsAThreadAndHasALane) {
  forget_groups();
  GroupRun run({{1, "add"}}, "");
  { const Working working(&run); }
  std::thread([&] { const Working working(&run); }).join();
  run.finish(1, {});
  EXPECT_EQ(group_report().kinds[0].threads, 2);
  forget_groups();
}

TEST(Groups, AProgramWithEndlesslyManyKindsStaysBounded) {
  forget_groups();
  for (uint64_t site = 0; site < kKinds + 50; ++site) run_group(2 * site, "", {});
  const GroupReport report = group_report();
  ASSERT_EQ(report.kinds.size(), kKinds + 1);
  EXPECT_EQ(report.kinds[kKinds].runs, 50);
  EXPECT_TRUE(report.kinds[kKinds].members.empty());
  forget_groups();
}

}  // namespace
}  // namespace manycore::trace
