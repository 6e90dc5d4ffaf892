#include "sched/deque.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

namespace manycore::sched {
namespace {

struct Item {
  int number = 0;
  std::atomic<int> taken{0};
};

constexpr auto kAny = [](const Item&) { return true; };

TEST(Deque, the_owner_takes_the_newest_and_a_thief_the_oldest) {
  Deque<Item> deque(2);
  std::vector<Item> items(100);
  for (Item& item : items) deque.push(&item);
  Item* stolen = nullptr;
  EXPECT_EQ(deque.steal(&stolen, kAny), Steal::kTaken);
  EXPECT_EQ(stolen, &items.front());
  EXPECT_EQ(deque.pop(), &items.back());
  for (int i = 98; i >= 1; --i) EXPECT_EQ(deque.pop(), &items[static_cast<size_t>(i)]);
  EXPECT_EQ(deque.pop(), nullptr);
  EXPECT_EQ(deque.steal(&stolen, kAny), Steal::kEmpty);
}

TEST(Deque, nobody_takes_what_it_does_not_want) {
  Deque<Item> deque;
  Item one{1, {}}, two{2, {}};
  deque.push(&one);
  deque.push(&two);
  const auto is = [](int number) { return [number](const Item& item) { return item.number == number; }; };
  Item* stolen = nullptr;
  EXPECT_EQ(deque.steal(&stolen, is(2)), Steal::kUnwanted);
  EXPECT_EQ(deque.pop_if(is(1)), nullptr);
  EXPECT_TRUE(deque.holds(is(1)));
  EXPECT_FALSE(deque.holds(is(3)));
  EXPECT_EQ(deque.pop_if(is(2)), &two);
  EXPECT_EQ(deque.steal(&stolen, is(1)), Steal::kTaken);
}

// The owner pushes and pops at random, from nearly empty to grown, while thieves steal; every item comes out once.
TEST(Deque, every_item_is_taken_once_under_theft) {
  constexpr int kItems = 100'000, kThieves = 2;
  Deque<Item> deque(2);
  std::vector<Item> items(kItems);
  std::atomic<int> taken{0};
  std::vector<std::thread> thieves;
  for (int i = 0; i < kThieves; ++i) {
    thieves.emplace_back([&] {
      while (taken.load() < kItems) {
        Item* item = nullptr;
        if (deque.steal(&item, kAny) != Steal::kTaken) continue;
        item->taken.fetch_add(1);
        taken.fetch_add(1);
      }
    });
  }
  std::minstd_rand random(7);
  const auto pop = [&] {
    Item* item = deque.pop();
    if (item == nullptr) return false;
    item->taken.fetch_add(1);
    taken.fetch_add(1);
    return true;
  };
  for (int next = 0; next < kItems;) {
    for (auto pushes = random() % 40; pushes > 0 && next < kItems; --pushes) deque.push(&items[static_cast<size_t>(next++)]);
    for (auto pops = random() % 40; pops > 0 && pop(); --pops) {
    }
  }
  while (pop()) {
  }
  for (std::thread& thief : thieves) thief.join();
  for (const Item& item : items) ASSERT_EQ(item.taken.load(), 1);
}

}  // namespace
}  // namespace manycore::sched
