#include "task/queue.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace manycore::task {
namespace {

TEST(Queue, calls_are_taken_in_the_order_of_their_arrival_and_many_at_its_place) {
  Queue queue(1);
  Queue::Worker worker;
  Call one, many, last;
  EXPECT_EQ(queue.push(one), Queue::Next::start_thread);
  EXPECT_EQ(queue.push(many, 2), Queue::Next::enough);
  queue.push(last);
  queue.join(worker);
  bool gone = false;
  EXPECT_EQ(queue.take(worker, &gone), &one);
  EXPECT_TRUE(gone);
  EXPECT_EQ(queue.take(worker, &gone), &many);
  EXPECT_FALSE(gone);
  queue.push(many, 1);
  EXPECT_EQ(queue.take(worker, &gone), &many);
  EXPECT_EQ(queue.take(worker, &gone), &many);
  EXPECT_TRUE(gone);
  EXPECT_EQ(queue.take(worker, &gone), &last);
  EXPECT_EQ(queue.take(worker, &gone), nullptr);
  EXPECT_EQ(queue.waiting(), 0);
  EXPECT_EQ(queue.idle(), 1);
  queue.leave(worker);
  EXPECT_EQ(queue.threads(), 0);
}

TEST(Queue, a_thread_is_asked_for_only_where_none_is_idle_and_no_more_than_allowed) {
  Queue queue(2);
  Call calls[4];
  EXPECT_EQ(queue.push(calls[0]), Queue::Next::start_thread);
  EXPECT_EQ(queue.push(calls[1]), Queue::Next::start_thread);
  EXPECT_EQ(queue.push(calls[2]), Queue::Next::enough);
  EXPECT_EQ(queue.more_threads(), Queue::Next::enough);
  queue.not_started();
  EXPECT_EQ(queue.more_threads(), Queue::Next::start_thread);
  EXPECT_TRUE(queue.remove(calls[1]));
  EXPECT_FALSE(queue.remove(calls[1]));
  Call* rest = queue.take_all();
  EXPECT_EQ(rest, &calls[0]);
  EXPECT_EQ(rest->next, &calls[2]);
  EXPECT_EQ(queue.waiting(), 0);
}

TEST(Queue, priorities_go_first_then_earlier_deadlines_then_arrival) {
  struct Ordered : Call {
    Ordered(int64_t priority, int64_t deadline) : mine{priority, deadline, 0} { order = &mine; }
    Order mine;
  };
  Queue queue(1);
  Queue::Worker worker;
  Ordered low(-1, Order::kNever), high(2, Order::kNever), high_later(2, 50), high_soon(2, 10), high_soon_too(2, 10), soon(0, 5),
      named(0, Order::kNever), gone(1, 3), many(1, 4);
  Call plain, plain_too;
  for (Call* call : {static_cast<Call*>(&low), static_cast<Call*>(&plain), static_cast<Call*>(&high), static_cast<Call*>(&named),
                     static_cast<Call*>(&high_later), static_cast<Call*>(&gone), static_cast<Call*>(&high_soon),
                     static_cast<Call*>(&plain_too), static_cast<Call*>(&high_soon_too), static_cast<Call*>(&soon)}) {
    queue.push(*call);
  }
  queue.push(many, 2);
  EXPECT_TRUE(queue.remove(gone));
  EXPECT_FALSE(queue.remove(gone));
  queue.join(worker);
  bool last = false;
  for (Call* expected :
       {static_cast<Call*>(&high_soon), static_cast<Call*>(&high_soon_too), static_cast<Call*>(&high_later),
        static_cast<Call*>(&high), static_cast<Call*>(&many), static_cast<Call*>(&many), static_cast<Call*>(&soon),
        static_cast<Call*>(&plain), static_cast<Call*>(&named), static_cast<Call*>(&plain_too), static_cast<Call*>(&low)}) {
    EXPECT_EQ(queue.take(worker, &last), expected);
  }
  EXPECT_EQ(queue.take(worker, &last), nullptr);
  queue.push(low);
  queue.push(plain);
  queue.push(high);
  int all = 0;
  for (Call* call = queue.take_all(); call != nullptr; call = call->next) all += call->linked ? 100 : 1;
  EXPECT_EQ(all, 3);
  EXPECT_EQ(queue.waiting(), 0);
  EXPECT_EQ(queue.take(worker, &last), nullptr);
}

// Submitters and workers race; every call is taken once and nobody sleeps through the last.
TEST(Queue, every_call_of_racing_submitters_is_taken_once) {
  constexpr int kSubmitters = 3, kWorkers = 3, kCalls = 20'000;
  struct Counted : Call {
    std::atomic<int> taken{0};
  };
  Queue queue(kWorkers);
  std::vector<Counted> calls(kSubmitters * kCalls);
  std::vector<std::thread> threads;
  std::atomic<int> done{0};
  for (int w = 0; w < kWorkers; ++w) {
    Call seed;
    queue.push(seed);
    queue.remove(seed);
    threads.emplace_back([&] {
      Queue::Worker worker;
      queue.join(worker);
      while (true) {
        bool last;
        if (Call* call = queue.take(worker, &last)) {
          static_cast<Counted*>(call)->taken.fetch_add(1);
          done.fetch_add(1);
        } else if (queue.stopped()) {
          break;
        } else {
          queue.wait(worker);
        }
      }
      queue.leave(worker);
    });
  }
  for (int s = 0; s < kSubmitters; ++s) {
    threads.emplace_back([&, s] {
      for (int i = 0; i < kCalls; ++i) {
        queue.push(calls[static_cast<size_t>(s * kCalls + i)]);
        if (i % 64 == 0) {
          // Let the workers fall asleep now and then.
          while (queue.waiting() > 0) std::this_thread::yield();
        }
      }
    });
  }
  while (done.load() < kSubmitters * kCalls) std::this_thread::yield();
  queue.stop();
  for (std::thread& thread : threads) thread.join();
  for (const Counted& call : calls) ASSERT_EQ(call.taken.load(), 1);
  EXPECT_EQ(queue.threads(), 0);
  EXPECT_EQ(queue.idle(), 0);
}

TEST(Waiter, a_limit_ends_the_wait_and_done_ends_it_for_good) {
  Waiter waiter;
  EXPECT_EQ(waiter.wait(1), Waiter::Ended::timed_out);
  std::thread other([&] { waiter.done(); });
  EXPECT_EQ(waiter.wait(-1), Waiter::Ended::done);
  other.join();
  EXPECT_TRUE(waiter.is_done());
}

}  // namespace
}  // namespace manycore::task
