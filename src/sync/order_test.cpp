#include "sync/order.h"

#include <gtest/gtest.h>

namespace manycore::sync {
namespace {

constexpr Held kA{1, 101}, kB{2, 102}, kC{3, 103}, kGate{4, 104};

class Order : public testing::Test {
 protected:
  // The thread takes these one after the other and lets go of them all.
  size_t run(Thread& thread, std::vector<Held> locks) {
    size_t found = 0;
    for (const Held& lock : locks) {
      found += order_.take(thread, lock, [this] { return ++lines_; }).size();
      thread.order.push_back(lock);
    }
    thread.order.clear();
    return found;
  }

  Order() {
    one_.serial = 1;
    other_.serial = 2;
  }

  LockOrder order_;
  Thread one_, other_;
  int64_t lines_ = 0;
};

TEST_F(Order, two_threads_in_opposite_orders_make_a_circle_which_is_told_once) {
  EXPECT_EQ(run(one_, {kA, kB}), 0U);
  EXPECT_EQ(run(other_, {kB, kA}), 2U);
  EXPECT_EQ(run(other_, {kB, kA}), 0U);
  EXPECT_EQ(lines_, 2);
}

TEST_F(Order, one_thread_alone_cannot_meet_itself) {
  EXPECT_EQ(run(one_, {kA, kB}), 0U);
  EXPECT_EQ(run(one_, {kB, kA}), 0U);
  EXPECT_EQ(run(other_, {kA, kB}), 2U) << "now another thread takes one of the orders too";
}

TEST_F(Order, a_lock_around_both_keeps_them_apart) {
  EXPECT_EQ(run(one_, {kGate, kA, kB}), 0U);
  EXPECT_EQ(run(other_, {kGate, kB, kA}), 0U);
  EXPECT_EQ(run(other_, {kB, kA}), 2U) << "without the gate it does not";
}

TEST_F(Order, circles_are_found_over_more_than_two) {
  Thread third;
  third.serial = 3;
  EXPECT_EQ(run(one_, {kA, kB}), 0U);
  EXPECT_EQ(run(other_, {kB, kC}), 0U);
  EXPECT_EQ(run(third, {kC, kA}), 3U);
}

TEST_F(Order, locks_of_one_place_are_told_apart) {
  const Held small{11, 200}, middle{12, 200}, large{13, 200};
  EXPECT_EQ(run(one_, {small, large}), 0U);
  EXPECT_EQ(run(other_, {small, middle}), 0U);
  EXPECT_EQ(run(other_, {middle, large}), 0U);
  EXPECT_EQ(run(one_, {large, middle}), 2U);
}

TEST_F(Order, other_locks_of_the_same_places_close_a_circle) {
  const Held another_a{21, kA.place}, another_b{22, kB.place};
  EXPECT_EQ(run(one_, {kA, kB}), 0U);
  EXPECT_EQ(run(other_, {another_b, another_a}), 2U);
}

TEST_F(Order, a_lock_that_is_gone_leaves_no_edges) {
  const Held small{11, 200}, large{13, 200};
  EXPECT_EQ(run(one_, {small, large}), 0U);
  order_.forget(small.instance);
  EXPECT_EQ(run(other_, {large, small}), 0U);
}

}  // namespace
}  // namespace manycore::sync
