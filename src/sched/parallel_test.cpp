#include "sched/parallel.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/hooks.h"
#include "base/options.h"
#include "manycore/errors.h"
#include "sched/stop.h"

namespace manycore::sched {
namespace {

struct Threads {
  explicit Threads(int count) { base::set_option("threads", std::to_string(count)); }
  ~Threads() { base::set_option("threads", "0"); }
};

TEST(ParallelFor, CoversEveryIndexOnceInRangesThatFollowTheGrain) {
  for (int threads : {1, 2, 4}) {
    Threads option(threads);
    for (int64_t count : {0, 1, 9, 10, 11, 1000, 99999}) {
      std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
      std::atomic<int> crooked{0};
      parallel_for(count, 10, [&](int64_t begin, int64_t end) {
        crooked += begin % 10 != 0 || (end % 10 != 0 && end != count) || begin >= end;
        for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
      });
      EXPECT_EQ(crooked, 0);
      for (const auto& times : seen) ASSERT_EQ(times, 1);
    }
  }
}

TEST(ParallelFor, UsesAsManyThreadsAsTheOptionSays) {
  for (int threads : {2, 3}) {
    Threads option(threads);
    EXPECT_EQ(thread_count(), threads);
    // Each chunk waits until `threads` different threads have arrived: passes only if they really run side by side.
    std::mutex mutex;
    std::set<std::thread::id> arrived;
    std::atomic<int> count{0};
    auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    parallel_for(64, 1, [&](int64_t, int64_t) {
      {
        std::lock_guard lock(mutex);
        arrived.insert(std::this_thread::get_id());
        count = static_cast<int>(arrived.size());
      }
      while (count < threads && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
    });
    EXPECT_EQ(count, threads);
  }
}

TEST(ParallelFor, AnErrorOfABodyReachesTheCaller) {
  Threads option(2);
  EXPECT_THROW(parallel_for(1000, 1,
                            [](int64_t begin, int64_t) {
                              if (begin >= 500) throw std::runtime_error("chunk");
                            }),
               std::runtime_error);
}

TEST(ParallelFor, LoopsNest) {
  Threads option(2);
  std::atomic<int64_t> sum{0};
  parallel_for(50, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) parallel_for(100, 7, [&](int64_t b, int64_t e) { sum += e - b; });
  });
  EXPECT_EQ(sum, 5000);
}

TEST(ParallelFor, ManyThreadsMayCallAtOnceWhileTheOptionChanges) {
  std::vector<std::thread> callers;
  std::atomic<int64_t> sum{0};
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&] {
      for (int i = 0; i < 200; ++i) parallel_for(1000, 10, [&](int64_t begin, int64_t end) { sum += end - begin; });
    });
  }
  for (int i = 0; i < 20; ++i) Threads option(i % 4 + 1);
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum, 4 * 200 * 1000);
}

std::atomic<int> asked{0};
std::thread::id asked_on;

TEST(ParallelFor, AnInterruptStopsALoopUnlessItMustFinish) {
  for (int threads : {1, 2}) {
    Threads option(threads);
    asked = 0;
    base::hooks().interrupted = [] {
      asked_on = std::this_thread::get_id();
      return ++asked > 2;
    };
    std::atomic<int64_t> done{0};
    auto body = [&](int64_t begin, int64_t end) { done += end - begin; };
    EXPECT_THROW(parallel_for(1 << 20, 1, body), Interrupted);
    EXPECT_LT(done, 1 << 20);
    EXPECT_EQ(asked_on, std::this_thread::get_id());
    done = 0;
    EXPECT_NO_THROW(parallel_for(1 << 20, 1, body, Interrupts::kFinish));
    EXPECT_EQ(done, 1 << 20);
    base::hooks().interrupted = nullptr;
  }
}

TEST(ParallelFor, ACallThatIsToldToStopStopsInItsLoopsAndNobodyElse) {
  for (int threads : {1, 2}) {
    Threads option(threads);
    std::atomic<uint64_t> word{0};
    std::atomic<int64_t> done{0};
    const auto body = [&](int64_t begin, int64_t end) {
      done += end - begin;
      if (done > 1000) word = 7;
    };
    {
      const StopScope scope(word, 7);
      EXPECT_THROW(parallel_for(1 << 20, 1, body), Stopped);
      EXPECT_LT(done, 1 << 20);
      EXPECT_TRUE(scope.given());
      EXPECT_THROW(parallel_for(10, 100, body), Stopped) << "a short loop that begins later";
      EXPECT_THROW(stop_if_interrupted(), Interrupted);
      done = 0;
      EXPECT_NO_THROW(parallel_for(1 << 20, 1, body, Interrupts::kFinish));
      EXPECT_EQ(done, 1 << 20);
      std::thread([&] { EXPECT_NO_THROW(parallel_for(1000, 1, body)); }).join();
      std::atomic<uint64_t> inner{0};
      const StopScope nested(inner, 1);
      EXPECT_THROW(parallel_for(10, 100, body), Stopped) << "a call within the call";
      word = 8;  // meant for another call
      EXPECT_NO_THROW(parallel_for(10, 100, [](int64_t, int64_t) {}));
    }
    word = 7;
    EXPECT_NO_THROW(parallel_for(1000, 1, body));
    EXPECT_EQ(current_stop_sign(), nullptr);
  }
}

// However long the ranges are that oneTBB makes.
TEST(ParallelFor, AnInterruptIsSeenSoonWhereChunksAreSlow) {
  for (int threads : {1, 2}) {
    Threads option(threads);
    static std::atomic<bool> asking{false};
    base::hooks().interrupted = [] { return asking.load(); };
    asking = false;
    std::atomic<int> chunks_after{0};
    std::atomic<int> chunks{0};
    const auto body = [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        if (++chunks > 100) asking = true;
        if (asking) ++chunks_after;
      }
    };
    EXPECT_THROW(parallel_for(5000, 1, body), Interrupted);
    EXPECT_LT(chunks_after, 100);
    base::hooks().interrupted = nullptr;
  }
}

TEST(ParallelFor, AChildMadeByForkRunsItsLoopsAndEndsNormally) {
  Threads option(2);
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) parallel_for(1 << 16, 64, [](int64_t, int64_t) {});
  });
  for (int i = 0; i < 10; ++i) {
    parallel_for(1 << 16, 64, [](int64_t, int64_t) {});
    pid_t child = fork();
    if (child == 0) {
      alarm(20);
      std::atomic<int64_t> sum{0};
      for (int k = 0; k < 10; ++k) parallel_for(1000, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
      exit(sum == 10000 && thread_count() == 1 ? 7 : 8);
    }
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
  }
  stop = true;
  busy.join();
}

#if !defined(__SANITIZE_THREAD__)  // which has a thread of its own
int threads_of_this_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<int>(std::distance(begin(tasks), end(tasks)));
}

// The kernel takes a thread that was joined off its list a moment later.
void expect_threads(int count) {
  for (int i = 0; i < 1000 && threads_of_this_process() != count; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(threads_of_this_process(), count);
}

TEST(ParallelFor, NoWorkerIsThereAfterAForkUntilTheNextLoop) {
  Threads option(3);
  for (int i = 0; i < 3; ++i) {
    std::atomic<int> at_work{0};
    parallel_for(3, 1, [&](int64_t, int64_t) {  // no chunk ends before every thread has one
      for (++at_work; at_work < 3;) std::this_thread::yield();
    });
    EXPECT_GT(threads_of_this_process(), 1);
    const pid_t child = fork();
    if (child == 0) _exit(7);
    waitpid(child, nullptr, 0);
    expect_threads(1);
  }
}
#endif

}  // namespace
}  // namespace manycore::sched
