#include "trace/counters.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace manycore::trace {
namespace {

TEST(Counters, AddUpOverLivingAndEndedThreads) {
  reset_totals();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 1000; ++i) count_native(8);
      count_fallback(5);
    });
  }
  for (std::thread& thread : threads) thread.join();
  count_native(1);
  Totals sum = totals();
  EXPECT_EQ(sum.native_calls, 4001);
  EXPECT_EQ(sum.native_bytes, 4 * 8000 + 1);
  EXPECT_EQ(sum.fallback_calls, 4);
  EXPECT_EQ(sum.fallback_bytes, 20);
  reset_totals();
  EXPECT_EQ(totals().native_calls, 0);
}

// What a thread's own objects do while the thread ends is counted, too, although its counters may be gone already.
struct CountsLate {
  ~CountsLate() { count_native(3); }
  int touched = 0;
};

TEST(Counters, CountWhatEndingThreadsStillDo) {
  reset_totals();
  std::thread([] {
    thread_local CountsLate late;  // made before the counters, so destroyed after them
    late.touched = 1;
    count_native(4);
  }).join();
  EXPECT_EQ(totals().native_calls, 2);
  EXPECT_EQ(totals().native_bytes, 7);
}

}  // namespace
}  // namespace manycore::trace
