#include "worker/blocks.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/options.h"
#include "manycore/buffer.h"
#include "manycore/errors.h"
#include "memory/account.h"
#include "memory/pool.h"
#include "os/pages.h"
#include "worker/private_block.h"

namespace manycore::worker {
namespace {

constexpr int64_t kBytes = 300'000;

struct Pair {
  std::shared_ptr<Blocks> store = std::make_shared<Blocks>(os::MemoryFile::create("blocks-test", 0));
  std::shared_ptr<BlockReader> reader = std::make_shared<BlockReader>(store->descriptor());
};

std::vector<std::byte> noise(uint32_t seed, int64_t bytes = kBytes) {
  std::mt19937 random(seed);
  std::vector<std::byte> data(static_cast<size_t>(bytes));
  for (std::byte& byte : data) byte = static_cast<std::byte>(random());
  return data;
}

bool shows(const PrivateBlock& block, const std::vector<std::byte>& data) {
  return block.bytes() == static_cast<int64_t>(data.size()) && std::memcmp(block.data(), data.data(), data.size()) == 0;
}

TEST(Blocks, BytesArriveAndAreTheReceiversOwn) {
  Pair pair;
  const auto data = noise(1);
  const auto lease = pair.store->store(data.data(), kBytes);
  PrivateBlock first = pair.reader->open(lease->place());
  PrivateBlock second = pair.reader->open(lease->place());
  ASSERT_TRUE(shows(first, data));
  first.data()[5] ^= std::byte{1};
  first.data()[kBytes - 1] ^= std::byte{1};
  EXPECT_FALSE(shows(first, data));
  EXPECT_TRUE(shows(second, data));
}

TEST(Blocks, AKeptMappingShowsTheNextBytesWhateverWasWrittenToIt) {
  Pair pair;
  int64_t offset = -1;
  std::byte* address = nullptr;
  for (uint32_t round = 0; round < 20; ++round) {
    const auto data = noise(round);
    const auto lease = pair.store->store(data.data(), kBytes);
    PrivateBlock block = pair.reader->open(lease->place());
    ASSERT_TRUE(shows(block, data)) << round;
    if (round > 0) {
      EXPECT_EQ(static_cast<int64_t>(lease->place().offset), offset);
      EXPECT_EQ(block.data(), address) << "mapped anew";
    }
    offset = static_cast<int64_t>(lease->place().offset);
    address = block.data();
    for (int64_t i = round * 37; i < kBytes; i += 9000) block.data()[i] ^= std::byte{0xff};
  }
}

TEST(Blocks, WhatIsSentAgainUnchangedIsNotCopied) {
  Pair pair;
  auto data = noise(3);
  pair.store->store(data.data(), kBytes);
  EXPECT_EQ(pair.store->counts().copied, kBytes);
  pair.store->store(data.data(), kBytes);
  EXPECT_EQ(pair.store->counts().copied, kBytes);
  EXPECT_EQ(pair.store->counts().found_equal, kBytes);
  for (int64_t at : {int64_t{0}, int64_t{12345}, kBytes - 1}) {
    data[static_cast<size_t>(at)] ^= std::byte{1};
    const int64_t before = pair.store->counts().copied;
    const auto lease = pair.store->store(data.data(), kBytes);
    EXPECT_EQ(pair.store->counts().copied, before + kBytes) << at;
    EXPECT_TRUE(shows(pair.reader->open(lease->place()), data)) << at;
  }
}

TEST(Blocks, WhatIsWatchedIsNotEvenCompared) {
  Pair pair;
  constexpr int64_t kLong = int64_t{4} << 20;
  std::vector<std::byte> data(kLong + 100, std::byte{1});
  const std::byte* from = data.data() + 33;
  for (int i = 0; i < 5; ++i) pair.store->store(from, kLong);
  if (pair.store->counts().found_unwritten == 0) GTEST_SKIP() << "the system does not watch writes";
  EXPECT_EQ(pair.store->counts().copied, kLong);
  for (int64_t at : {int64_t{0}, int64_t{1} << 20, kLong - 1}) {
    for (int i = 0; i < 4; ++i) pair.store->store(from, kLong);
    const BlockCounts before = pair.store->counts();
    data[static_cast<size_t>(33 + at)] ^= std::byte{2};
    const auto lease = pair.store->store(from, kLong);
    EXPECT_EQ(pair.store->counts().copied, before.copied + kLong);
    const PrivateBlock block = pair.reader->open(lease->place());
    EXPECT_EQ(std::memcmp(block.data(), from, kLong), 0) << at;
  }
}

TEST(Blocks, ABlockInUseIsSharedOnlyWhileItsBytesAreTheSame) {
  Pair pair;
  auto data = noise(4);
  const auto before = data;
  const auto first = pair.store->store(data.data(), kBytes);
  const auto same = pair.store->store(data.data(), kBytes);
  EXPECT_EQ(first->place().offset, same->place().offset);
  data[100] ^= std::byte{1};
  const auto other = pair.store->store(data.data(), kBytes);
  EXPECT_NE(first->place().offset, other->place().offset);
  EXPECT_TRUE(shows(pair.reader->open(first->place()), before));
  EXPECT_TRUE(shows(pair.reader->open(other->place()), data));
}

TEST(Blocks, OthersUseABlockAndItIsNotTakenForWhatWasInItBefore) {
  Pair pair;
  const auto data = noise(5);
  const auto other = noise(6);
  const auto place = pair.store->store(data.data(), kBytes)->place();
  EXPECT_EQ(pair.store->store(other.data(), kBytes)->place().offset, place.offset);
  const auto again = pair.store->store(data.data(), kBytes);
  EXPECT_TRUE(shows(pair.reader->open(again->place()), data));
  EXPECT_EQ(pair.store->counts().found_equal, 0);
}

// Does this system make huge pages of shared memory when told to?
bool system_makes_huge_pages() {
  os::MemoryFile file = os::MemoryFile::create("huge-test", os::kHugePageBytes);
  std::byte* mapped = os::map_shared(file.descriptor(), 0, os::kHugePageBytes);
  if (mapped == nullptr) return false;
  mapped[0] = std::byte{1};
  const bool made = os::make_huge_pages(mapped, os::kHugePageBytes);
  EXPECT_EQ(mapped[0], std::byte{1});
  os::unmap_pages(mapped, os::kHugePageBytes);
  return made;
}

TEST(Blocks, LargeOnesArriveWhateverTheirPagesAndTheirEnd) {
  Pair pair;
  uint32_t seed = 70;
  for (int64_t bytes : {os::kHugePageBytes, 3 * os::kHugePageBytes + 5, 5 * os::kHugePageBytes - 1}) {
    for (int round = 0; round < 3; ++round) {
      const auto data = noise(++seed, bytes);
      const auto other = noise(++seed, bytes / 2);
      const auto lease = pair.store->store(data.data(), bytes);
      const auto beside = pair.store->store(other.data(), bytes / 2);
      PrivateBlock block = pair.reader->open(lease->place());
      ASSERT_TRUE(shows(block, data)) << bytes << ' ' << round;
      ASSERT_TRUE(shows(pair.reader->open(beside->place()), other)) << bytes << ' ' << round;
      // The next round's bytes have to show where this was written.
      for (int64_t at = round; at < bytes; at += 100'003) block.data()[at] ^= std::byte{0xff};
    }
  }
}

TEST(Blocks, FreshLargeOnesLieInHugePagesWhereTheSystemMakesThem) {
  if (!system_makes_huge_pages()) GTEST_SKIP() << "this system makes no huge pages of shared memory";
  Pair pair;
  const int64_t bytes = 4 * os::kHugePageBytes;
  const auto data = noise(8, bytes);
  { EXPECT_TRUE(shows(pair.reader->open(pair.store->store(data.data(), bytes)->place()), data)); }
  const int64_t huge = pair.store->counts().in_huge_pages;
  EXPECT_GE(huge, os::kHugePageBytes);
  EXPECT_EQ(huge % os::kHugePageBytes, 0);
  // A used block keeps what it has.
  const auto next = noise(9, bytes);
  const auto lease = pair.store->store(next.data(), bytes);
  PrivateBlock block = pair.reader->open(lease->place());
  EXPECT_TRUE(shows(block, next));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block.data()) % os::kHugePageBytes, 0U) << "mapped where its pages cannot be huge";
  EXPECT_EQ(pair.store->counts().in_huge_pages, huge);
}

TEST(Blocks, PlacesThatNoStoreGaveOutAreRefused) {
  Pair pair;
  const auto data = noise(7);
  const auto lease = pair.store->store(data.data(), kBytes);
  EXPECT_FALSE(pair.reader->open({0, 0, uint64_t{1} << 40}).valid());
  EXPECT_FALSE(pair.reader->open({0, uint64_t{1} << 40, 4096}).valid());
  EXPECT_FALSE(pair.reader->open({0, 1, 4096}).valid());
  EXPECT_FALSE(pair.reader->open({0, 0, 0}).valid());
}

TEST(Blocks, EveryPageIsChargedAndGivenBack) {
  const int64_t before = memory::Account::arrays().held();
  {
    Pair pair;
    const auto data = noise(8);
    const auto lease = pair.store->store(data.data(), kBytes);
    EXPECT_GE(memory::Account::arrays().held(), before + kBytes);
  }
  EXPECT_EQ(memory::Account::arrays().held(), before);
}

constexpr int64_t kPlenty = 24 << 20;

// A limit that has room for what is held and so much more.
struct Cap {
  explicit Cap(int64_t beyond) {
    memory::Pool::instance().trim(INT64_MAX);
    base::set_option("memory_limit", std::to_string(memory::Account::arrays().held() + beyond));
  }
  ~Cap() { base::set_option("memory_limit", "0"); }
};

TEST(Blocks, FreeBlocksGoBeforeAnArrayIsRefused) {
  Cap cap(kPlenty + (kPlenty >> 1));
  Pair pair, other;
  for (const Pair& each : {pair, other}) memory::add_keeper(each.store);
  const std::vector<unsigned char> data(kPlenty, 7);
  const int64_t before = memory::Account::arrays().held();
  pair.store->store(data.data(), kPlenty).reset();
  EXPECT_GE(memory::Account::arrays().held(), before + kPlenty) << "a free block keeps its pages";
  BufferRef large = BufferRef::adopt(Buffer::allocate(kPlenty));
  EXPECT_LE(memory::Account::arrays().held(), before + kPlenty + (1 << 20));
  EXPECT_THROW(pair.store->store(data.data(), kPlenty), ResourceError);
  large = {};
  // And before another store's block is.
  pair.store->store(data.data(), kPlenty).reset();
  const auto lease = other.store->store(data.data(), kPlenty);
  EXPECT_THROW(Buffer::allocate(kPlenty), ResourceError) << "blocks in use stay";
  EXPECT_THROW(memory::Pool::instance().charge(kPlenty, kPlenty), ResourceError);
}

TEST(Blocks, FreeBlocksGoBeforeSmallArraysAreRefusedAndOnlyAsManyAsNeeded) {
  constexpr int64_t kEach = 1 << 20;
  Pair pair;
  memory::add_keeper(pair.store);
  const std::vector<unsigned char> data(8 * kEach, 7);
  Cap cap(8 * kEach + (kEach >> 1));
  {
    std::vector<std::shared_ptr<Lease>> leases;
    for (int64_t i = 0; i < 8; ++i) leases.push_back(pair.store->store(data.data() + i * kEach, kEach));
  }
  std::vector<BufferRef> small;
  for (int64_t bytes = 0; bytes < 4 * kEach; bytes += 16000) small.push_back(BufferRef::adopt(Buffer::allocate(16000)));
  memory::Account& account = memory::Account::arrays();
  EXPECT_GE(account.held(), account.limit() - 2 * kEach) << "the others keep theirs";
}

#if !defined(__SANITIZE_THREAD__)
TEST(Blocks, AChildMadeByForkAsksNoneOfItsParents) {
  Pair pair;
  memory::add_keeper(pair.store);
  const std::vector<unsigned char> data(kPlenty, 7);
  pair.store->store(data.data(), kPlenty).reset();
  Cap cap(kPlenty);
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) pair.store->store(data.data(), kBytes).reset();  // so that forks find its lock held
  });
  for (int i = 0; i < 10; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);
      try {
        Buffer::allocate(2 * kPlenty);
      } catch (const ResourceError&) {
        _exit(7);
      }
      _exit(1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
  }
  stop = true;
  busy.join();
}
#endif

}  // namespace
}  // namespace manycore::worker
