#include "os/futex.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <new>
#include <thread>

#include "os/clock.h"

namespace manycore::os {
namespace {

TEST(Futex, a_word_that_holds_something_else_is_no_reason_to_sleep) {
  std::atomic<uint32_t> word{7};
  EXPECT_EQ(futex_wait(word, 8), FutexWait::changed);
}

TEST(Futex, a_wait_ends_at_its_limit) {
  std::atomic<uint32_t> word{0};
  const int64_t begin = now_nanoseconds();
  EXPECT_EQ(futex_wait(word, 0, 2'000'000), FutexWait::timed_out);
  EXPECT_GE(now_nanoseconds() - begin, 2'000'000);
}

TEST(Futex, two_threads_pass_a_word_to_and_fro) {
  std::atomic<uint32_t> word{0};
  const auto take_turns = [&](uint32_t mine) {
    for (int turn = 0; turn < 2'000; ++turn) {
      for (uint32_t seen; (seen = word.load()) % 2 != mine;) futex_wait(word, seen);
      word.fetch_add(1);
      futex_wake(word);
    }
  };
  std::thread other(take_turns, 1);
  take_turns(0);
  other.join();
  EXPECT_EQ(word.load(), 4'000u);
}

TEST(Futex, a_wake_up_finds_only_sleepers_whose_bits_it_meets) {
  std::atomic<uint32_t> word{0};
  std::thread sleeper([&] {
    while (word.load() == 0) futex_wait(word, 0, -1, FutexScope::process, 2);
  });
  word.store(1);
  while (futex_wake(word, kFutexEveryone, FutexScope::process, 1) != 0) FAIL() << "bit 1 woke a sleeper on bit 2";
  futex_wake(word, kFutexEveryone, FutexScope::process, 2);
  sleeper.join();
}

TEST(Futex, a_shared_word_wakes_another_process) {
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  auto& word = *new (page) std::atomic<uint32_t>(0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    while (word.load() == 0) futex_wait(word, 0, -1, FutexScope::shared);
    _exit(42);
  }
  word.store(1);
  futex_wake(word, 1, FutexScope::shared);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 42);
  munmap(page, 4096);
}

}  // namespace
}  // namespace manycore::os
