#include "sync/threads.h"

#include <gtest/gtest.h>

namespace manycore::sync {
namespace {

struct Plain final : Wait {
  using Wait::Wait;
  Wakers wakers() const override { return {}; }
};

TEST(Threads, a_wait_stands_in_its_thread_as_long_as_it_lasts_and_nests) {
  Thread* thread = enter_thread(77);
  const uint64_t before = waits_version();
  const int now = waits_now();
  {
    Plain outer(*thread);
    EXPECT_EQ(thread->wait, &outer);
    {
      Plain inner(*thread);
      EXPECT_EQ(thread->wait, &inner);
      EXPECT_EQ(inner.outer, &outer);
      EXPECT_GT(inner.serial, outer.serial);
      EXPECT_EQ(waits_now(), now + 2);
    }
    EXPECT_EQ(thread->wait, &outer);
  }
  EXPECT_EQ(thread->wait, nullptr);
  EXPECT_EQ(waits_now(), now);
  EXPECT_NE(waits_version(), before);
  thread->ended = true;
}

TEST(Threads, a_record_is_used_again_unless_its_thread_ended_with_a_lock) {
  Thread* one = enter_thread(5);
  const uint64_t serial = one->serial;
  one->held = 1;
  one->ended = true;
  Thread* other = enter_thread(5);
  EXPECT_NE(one, other);
  EXPECT_EQ(find_thread(5), other);
  other->ended = true;
  EXPECT_EQ(find_thread(5), nullptr);
  Thread* again = enter_thread(6);
  EXPECT_EQ(again, other);
  EXPECT_GT(again->serial, serial);
  again->ended = true;
  one->held = 0;
}

TEST(Threads, after_a_fork_only_the_forking_thread_is_there) {
  Thread* self = enter_thread(1);
  Thread* other = enter_thread(2);
  Plain own(*self);
  {
    Plain gone(*other);
    forget_other_threads(self);
    EXPECT_EQ(waits_now(), 1);
    EXPECT_EQ(find_thread(2), nullptr);
    EXPECT_EQ(find_thread(1), self);
    EXPECT_EQ(self->wait, &own);
  }
  self->ended = true;
}

}  // namespace
}  // namespace manycore::sync
