#include "memory/addressed_blocks.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/options.h"
#include "manycore/errors.h"
#include "memory/pool.h"
#include "memory/tally.h"

namespace manycore::memory {
namespace {

// The headers of blocks come in slabs, which stay.
constexpr int64_t kHeaders = 256 << 10;

int64_t in_use() { return Account::arrays().held() - Pool::instance().statistics().cached_bytes; }

struct Cap {
  explicit Cap(int64_t beyond) {
    Pool::instance().trim(INT64_MAX);
    base::set_option("memory_limit", std::to_string(Account::arrays().held() + beyond));
  }
  ~Cap() { base::set_option("memory_limit", "0"); }
};

TEST(AddressedBlocks, BlocksAreChargedWhileTheyLiveAndKnownByTheirAddressOnly) {
  AddressedBlocks& blocks = AddressedBlocks::instance();
  const int64_t before = in_use();
  std::byte* block = blocks.allocate(1'000'000, false);
  std::memset(block, 1, 1'000'000);
  EXPECT_GE(in_use() - before, 1'000'000);
  EXPECT_EQ(blocks.bytes_at(block), 1'000'000);
  EXPECT_EQ(blocks.bytes_at(block + 4096), -1);
  EXPECT_FALSE(blocks.release(block + 64));
  EXPECT_FALSE(blocks.release(nullptr));
  EXPECT_TRUE(blocks.release(block));
  EXPECT_LE(in_use() - before, kHeaders);
  EXPECT_FALSE(blocks.release(block));
}

TEST(AddressedBlocks, ZeroedBlocksAreZeroInUsedPages) {
  AddressedBlocks& blocks = AddressedBlocks::instance();
  for (const int64_t size : {40'000, 1'000'000, 50'000'000}) {
    std::byte* used = blocks.allocate(size, false);
    std::memset(used, 7, static_cast<size_t>(size));
    blocks.release(used);
    std::byte* zeroed = blocks.allocate(size, true);
    for (int64_t i = 0; i < size; i += 997) ASSERT_EQ(zeroed[i], std::byte{0}) << size;
    blocks.release(zeroed);
  }
}

TEST(AddressedBlocks, ResizingKeepsWhatFitsAndTheAccountRight) {
  AddressedBlocks& blocks = AddressedBlocks::instance();
  const int64_t before = in_use();
  std::mt19937_64 random(11);
  int64_t size = 100'000;
  std::byte* block = blocks.allocate(size, false);
  std::memset(block, 0, static_cast<size_t>(size));
  for (int round = 1; round < 60; ++round) {
    const int64_t next = int64_t{40'000} + static_cast<int64_t>(random() >> (64 - 12 - random() % 14));
    const std::byte last = static_cast<std::byte>(round - 1);
    block = blocks.resize(block, next);
    ASSERT_EQ(blocks.bytes_at(block), next);
    for (int64_t i = 0; i < std::min(size, next); i += 101) ASSERT_EQ(block[i], last) << round;
    size = next;
    std::memset(block, round, static_cast<size_t>(size));
    ASSERT_GE(in_use() - before, size);
  }
  EXPECT_EQ(blocks.resize(block + 64, 100), nullptr);
  blocks.release(block);
  EXPECT_LE(in_use() - before, kHeaders);
}

TEST(AddressedBlocks, ARefusedResizeLeavesTheOldBlock) {
  AddressedBlocks& blocks = AddressedBlocks::instance();
  Cap cap(40'000'000);
  std::byte* block = blocks.allocate(10'000'000, false);
  std::memset(block, 5, 10'000'000);
  EXPECT_THROW(blocks.resize(block, 100'000'000), ResourceError);
  EXPECT_EQ(block[9'999'999], std::byte{5});
  EXPECT_TRUE(blocks.release(block));
}

TEST(AddressedBlocks, ThreadsTakeAndGiveEachOthersBlocks) {
  AddressedBlocks& blocks = AddressedBlocks::instance();
  const int64_t before = in_use();
  std::vector<std::byte*> made(400);
  auto work = [&](size_t first, auto&& body) {
    for (size_t i = first; i < made.size(); i += 4) body(made[i]);
  };
  for (const bool giving : {false, true}) {
    std::vector<std::thread> threads;
    for (size_t t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        work(giving ? 3 - t : t, [&](std::byte*& block) {
          if (giving)
            EXPECT_TRUE(blocks.release(block));
          else
            block = blocks.allocate(50'000 + static_cast<int64_t>(t) * 9000, true);
        });
      });
    for (auto& thread : threads) thread.join();
  }
  EXPECT_LE(in_use() - before, kHeaders);
}

TEST(Tally, ChargesInStepsAndNeverLessThanThereIs) {
  const int64_t before = Account::arrays().held();
  Tally tally;
  std::vector<int64_t> live;
  std::mt19937_64 random(12);
  for (int i = 0; i < 20000; ++i) {
    if (random() % 3 != 0 || live.empty()) {
      live.push_back(static_cast<int64_t>(random() % 9000));
      tally.add(live.back());
    } else {
      tally.subtract(live.back());
      live.pop_back();
    }
    const int64_t charged = Account::arrays().held() - before;
    ASSERT_GE(charged, tally.bytes());
    ASSERT_LE(charged, tally.bytes() + 3 * Tally::kStep);
  }
  for (const int64_t bytes : live) tally.subtract(bytes);
  EXPECT_EQ(tally.bytes(), 0);
  tally.subtract(1000);
  EXPECT_EQ(tally.bytes(), 0);
  EXPECT_LE(Account::arrays().held() - before, 2 * Tally::kStep);
}

TEST(Tally, ARefusedAddAddsNothing) {
  Cap cap(1 << 20);
  Tally tally;
  tally.add(100'000);
  EXPECT_THROW(tally.add(10 << 20), ResourceError);
  EXPECT_EQ(tally.bytes(), 100'000);
  tally.subtract(100'000);
}

}  // namespace
}  // namespace manycore::memory
