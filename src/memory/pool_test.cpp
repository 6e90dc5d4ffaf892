#include "memory/pool.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#include <atomic>
#include <cstring>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "base/options.h"
#include "manycore/errors.h"
#include "os/memory_limit.h"

namespace manycore::memory {
namespace {

// The account's cap for one test; cached blocks go at both ends so that tests do not see each other's.
struct Cap {
  explicit Cap(int64_t bytes) {
    Pool::instance().trim(INT64_MAX);
    base::set_option("memory_limit", std::to_string(bytes));
  }
  ~Cap() {
    base::set_option("memory_limit", "0");
    Pool::instance().trim(INT64_MAX);
  }
};

BufferRef make(int64_t nbytes) { return BufferRef::adopt(Buffer::allocate(nbytes)); }

TEST(Pool, SizeClassesHoldWhatIsAskedAndWasteAtMostAQuarter) {
  for (int64_t nbytes = 0; nbytes <= kSmallLimit; ++nbytes) {
    int64_t held = Pool::small_class_bytes(Pool::small_class(nbytes));
    ASSERT_GE(held, nbytes);
    ASSERT_LE(held - nbytes, std::max<int64_t>(63, nbytes / 4)) << nbytes;
    ASSERT_EQ(held % 64, 0);
    ASSERT_EQ(Pool::small_class(held), Pool::small_class(nbytes));
  }
  std::mt19937_64 random(7);
  for (int i = 0; i < 100000; ++i) {
    int64_t nbytes = static_cast<int64_t>(random() >> (64 - 16 - i % 44)) + kSmallLimit + 1;
    int64_t held = Pool::big_class_bytes(Pool::big_class(nbytes));
    ASSERT_GE(held, nbytes);
    ASSERT_LE(held - nbytes, nbytes / 8 + (nbytes > kMediumLimit ? (int64_t{2} << 20) : 4096)) << nbytes;
    ASSERT_EQ(held % (nbytes > kMediumLimit ? int64_t{2} << 20 : 4096), 0) << nbytes;
    ASSERT_EQ(Pool::big_class(held), Pool::big_class(nbytes)) << nbytes;
  }
}

TEST(Pool, BlocksAreAlignedDisjointAndWritable) {
  std::vector<BufferRef> all;
  std::mt19937 random(8);
  for (int i = 0; i < 400; ++i) {
    int64_t nbytes = std::uniform_int_distribution<int64_t>(0, i % 3 == 0 ? 1 << 20 : 3000)(random);
    all.push_back(make(nbytes));
    ASSERT_EQ(reinterpret_cast<uintptr_t>(all.back()->data()) % 64, 0u);
    ASSERT_EQ(all.back()->nbytes(), nbytes);
    std::memset(all.back()->data(), i & 255, static_cast<size_t>(nbytes));
  }
  for (int i = 0; i < 400; ++i)
    for (int64_t k = 0; k < all[static_cast<size_t>(i)]->nbytes(); ++k)
      ASSERT_EQ(all[static_cast<size_t>(i)]->data()[k], std::byte(i & 255));
}

TEST(Pool, ABlockJustFreedIsUsedAgain) {
  for (int64_t nbytes : {int64_t{100}, int64_t{30000}, int64_t{800000}, int64_t{80000000}}) {
    std::byte* before = make(nbytes)->data();
    PoolStatistics start = Pool::instance().statistics();
    EXPECT_EQ(make(nbytes)->data(), before) << nbytes;
    PoolStatistics end = Pool::instance().statistics();
    EXPECT_EQ(end.fresh_blocks, start.fresh_blocks);
    EXPECT_EQ(end.reused_blocks - start.reused_blocks, nbytes > kSmallLimit);
  }
}

TEST(Pool, ARequestTakesALargerFreeBlockBeforeNewPagesButNotOneMoreThanTwiceAsLarge) {
  Pool::instance().trim(INT64_MAX);
  const std::byte* used = make(40 << 20)->data();
  int64_t fresh = Pool::instance().statistics().fresh_blocks;
  {
    BufferRef smaller = make(30 << 20);
    EXPECT_EQ(smaller->data(), used);
    EXPECT_EQ(Pool::instance().statistics().fresh_blocks, fresh);
    std::memset(smaller->data(), 1, static_cast<size_t>(smaller->nbytes()));
  }
  EXPECT_EQ(make(40 << 20)->data(), used) << "the block goes back to its own class";
  EXPECT_NE(make(17 << 20)->data(), used);
  EXPECT_EQ(Pool::instance().statistics().fresh_blocks, fresh + 1);
}

// What the headers of blocks may add to the account.
constexpr int64_t kHeaders = 1 << 20;

TEST(Pool, AFreshLargeBlockIsMadeOfThePagesOfFreeOnes) {
  Pool::instance().trim(INT64_MAX);
  const int64_t held = Account::arrays().held();
  {
    BufferRef first = make(30 << 20), second = make(30 << 20);
    for (const BufferRef& block : {first, second}) std::memset(block->data(), 7, static_cast<size_t>(block->nbytes()));
  }
  const PoolStatistics before = Pool::instance().statistics();
  BufferRef whole = make(50 << 20);
  EXPECT_EQ(Pool::instance().statistics().moved_bytes - before.moved_bytes, 50 << 20);
  EXPECT_EQ(Pool::instance().statistics().cached_bytes, 10 << 20);
  EXPECT_NEAR(Account::arrays().held(), held + (60 << 20), kHeaders);
  for (int64_t i = 0; i < whole->nbytes(); i += 4096) ASSERT_EQ(whole->data()[i], std::byte{7}) << "these are used pages";
  BufferRef rest = make(10 << 20);
  EXPECT_EQ(rest->data()[0], std::byte{7}) << "what was left serves a request of its size";
  std::memset(rest->data(), 8, static_cast<size_t>(rest->nbytes()));
  std::memset(whole->data(), 9, static_cast<size_t>(whole->nbytes()));
  EXPECT_EQ(rest->data()[rest->nbytes() - 1], std::byte{8});
  whole = rest = {};
  // Of pages from several blocks, to several blocks, and back to the system.
  { BufferRef half = make(20 << 20), third = make(15 << 20), other = make(24 << 20); }
  { BufferRef all = make(59 << 20); }
  Pool::instance().trim(INT64_MAX);
  EXPECT_NEAR(Account::arrays().held(), held, kHeaders);
}

TEST(Pool, ARequestBeyondTheLimitTakesNothingFromTheCache) {
  Cap cap(200 << 20);
  make(40 << 20);
  const PoolStatistics before = Pool::instance().statistics();
  EXPECT_THROW(make(300 << 20), ResourceError);
  EXPECT_EQ(Pool::instance().statistics().cached_bytes, before.cached_bytes);
  EXPECT_EQ(Pool::instance().statistics().moved_bytes, before.moved_bytes);
}

TEST(Pool, RandomLargeBlocksKeepWhatTheyHoldWhilePagesMove) {
  std::mt19937 random(11);
  Pool::instance().trim(INT64_MAX);
  const int64_t held = Account::arrays().held();
  const PoolStatistics before = Pool::instance().statistics();
  std::vector<BufferRef> live;
  int64_t bytes = 0;
  for (int step = 0; step < 1500; ++step) {
    const int64_t nbytes = std::uniform_int_distribution<int64_t>(1 << 20, int64_t{1} << (21 + step % 6))(random);
    const bool zeroed = step % 5 == 0;
    BufferRef block = zeroed ? BufferRef::adopt(Buffer::allocate_zeroed(nbytes)) : make(nbytes);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(block->data()) % 4096, 0u);
    auto* words = reinterpret_cast<int64_t*>(block->data());
    const int64_t count = nbytes / 8;
    for (int64_t i = 0; zeroed && i < count; i += 61) ASSERT_EQ(words[i], 0);
    for (int64_t i = 0; i < count; i += 509) words[i] = nbytes ^ i;
    live.push_back(std::move(block));
    bytes += nbytes;
    while (bytes > 200 << 20) {
      const size_t victim = random() % live.size();
      const auto* kept = reinterpret_cast<const int64_t*>(live[victim]->data());
      const int64_t size = live[victim]->nbytes();
      for (int64_t i = 0; i < size / 8; i += 509) ASSERT_EQ(kept[i], size ^ i) << step;
      bytes -= size;
      live[victim] = std::move(live.back());
      live.pop_back();
    }
  }
  EXPECT_GT(Pool::instance().statistics().moved_bytes, before.moved_bytes + (100 << 20));
  live.clear();
  Pool::instance().trim(INT64_MAX);
  EXPECT_NEAR(Account::arrays().held(), held, kHeaders);
}

TEST(Pool, ZeroedBlocksAreZeroEvenWhenUsedBefore) {
  for (int64_t nbytes : {int64_t{1}, int64_t{1000}, int64_t{100000}, int64_t{5000000}, int64_t{40000000}}) {
    {
      BufferRef dirty = make(nbytes);
      std::memset(dirty->data(), 0xff, static_cast<size_t>(nbytes));
    }
    BufferRef clean = BufferRef::adopt(Buffer::allocate_zeroed(nbytes));
    for (int64_t i = 0; i < nbytes; ++i) ASSERT_EQ(clean->data()[i], std::byte{0}) << nbytes << " " << i;
  }
}

TEST(Pool, ForeignMemoryIsReleasedOnceAndNotCharged) {
  int released = 0;
  int owner = 0;
  std::byte block[16];
  make(0);  // warm, so that no slab is charged below
  int64_t held = Account::arrays().held();
  {
    BufferRef wrapped = BufferRef::adopt(Buffer::wrap(
        block, int64_t{1} << 50, false, [&] { ++released; }, &owner));
    BufferRef second = wrapped;  // NOLINT(performance-unnecessary-copy-initialization): counted below
    EXPECT_EQ(wrapped->data(), block);
    EXPECT_TRUE(wrapped->is_foreign());
    EXPECT_FALSE(wrapped->is_writeable());
    EXPECT_EQ(wrapped->owner(), &owner);
    EXPECT_EQ(Account::arrays().held(), held);
    EXPECT_EQ(wrapped->references(), 2);
  }
  EXPECT_EQ(released, 1);
  BufferRef next = make(0);
  EXPECT_FALSE(next->is_foreign());
  EXPECT_TRUE(next->is_writeable());
  EXPECT_EQ(next->owner(), nullptr);
}

#if defined(__SANITIZE_ADDRESS__)
TEST(Pool, AddressSanitizerSeesEveryByteThatIsNotAnArrays) {
  for (int64_t nbytes : {100, 5000, 100'000, 5'000'000}) {
    std::byte* data;
    {
      BufferRef block = make(nbytes);
      data = block->data();
      EXPECT_FALSE(__asan_address_is_poisoned(data));
      EXPECT_FALSE(__asan_address_is_poisoned(data + nbytes - 1));
      EXPECT_TRUE(__asan_address_is_poisoned(data + nbytes)) << nbytes;
    }
    EXPECT_TRUE(__asan_address_is_poisoned(data)) << nbytes;
    BufferRef again = make(nbytes);
    std::memset(again->data(), 1, static_cast<size_t>(nbytes));
  }
}
#endif

TEST(Account, ARequestOverTheLimitNamesAccountLimitAndRequest) {
  make(100);
  Cap cap(1'000'000'000);
  EXPECT_THROW(make(80'000'000'000), ResourceError);  // from here on the pool holds the page of the request's header
  int64_t held = Account::arrays().held();
  try {
    make(80'000'000'000);
    FAIL() << "nothing was thrown";
  } catch (const ResourceError& error) {
    EXPECT_EQ(std::string(error.what()),
              "allocate: 80.0 GB asked, account \"arrays\" holds " + os::bytes_text(held) +
                  " of its limit 1.0 GB (option memory_limit); try a smaller shape or dtype, or work in pieces, or raise "
                  "--memory-limit");
  }
  EXPECT_THROW(make(INT64_MAX), ResourceError);
  EXPECT_THROW(make(INT64_MAX / 2), ResourceError);
  EXPECT_EQ(Account::arrays().held(), held);
}

TEST(Account, LiveBlocksNeverPassTheLimitAndCachedOnesGoFirst) {
  Cap cap(200'000'000);
  std::vector<BufferRef> live;
  int64_t before = Account::arrays().held();
  while (true) {
    try {
      live.push_back(make(20'000'000));
    } catch (const ResourceError&) {
      break;
    }
  }
  EXPECT_LE(Account::arrays().held(), 200'000'000);
  EXPECT_GE(static_cast<int64_t>(live.size()), (200'000'000 - before) / 21'000'000);
  live.clear();
  EXPECT_LE(Pool::instance().statistics().cached_bytes, 50'000'000);  // a quarter of the limit
  EXPECT_NO_THROW(make(150'000'000));                                 // what is cached gives way
  EXPECT_LE(Account::arrays().held(), 200'000'000);
}

TEST(Account, APercentageIsOfTheMachine) {
  base::set_option("memory_limit", "50%");
  EXPECT_NEAR(static_cast<double>(Account::arrays().limit()), static_cast<double>(os::memory_limit().bytes) / 2, 1e6);
  base::set_option("memory_limit", "0");
  EXPECT_EQ(Account::arrays().limit(), os::memory_limit().bytes);
  EXPECT_STREQ(Account::arrays().limit_source(), os::memory_limit().source);
}

TEST(Account, ChargesByManyThreadsNeverPassTheLimit) {
  Cap cap(100'000'000);
  std::atomic<bool> passed{false};
  std::vector<std::thread> threads;
  std::atomic<int64_t> refused{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      std::vector<BufferRef> mine;
      for (int i = 0; i < 2000; ++i) {
        try {
          mine.push_back(make(std::uniform_int_distribution<int64_t>(1, 6'000'000)(random)));
        } catch (const ResourceError&) {
          ++refused;
          mine.clear();
        }
        if (Account::arrays().held() > 100'000'000) passed = true;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(passed);
  EXPECT_GT(refused, 0);
}

// Blocks made by one thread, checked and freed by another, of all kinds.
TEST(Pool, ThreadsMayFreeWhatOthersAllocated) {
  struct Mailbox {
    std::mutex mutex;
    std::vector<BufferRef> buffers;
  };
  Mailbox boxes[4];
  std::atomic<int> wrong{0};
  auto check = [&](const BufferRef& buffer) {
    auto* bytes = reinterpret_cast<unsigned char*>(buffer->data());
    for (int64_t i = 0; i < buffer->nbytes(); i += 61) wrong += bytes[i] != static_cast<unsigned char>(buffer->nbytes());
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(100 + t));
      for (int i = 0; i < 5000; ++i) {
        int64_t nbytes = std::uniform_int_distribution<int64_t>(1, i % 50 == 0 ? 500'000 : 2'000)(random);
        BufferRef buffer = make(nbytes);
        std::memset(buffer->data(), static_cast<int>(nbytes & 255), static_cast<size_t>(nbytes));
        Mailbox& box = boxes[random() % 4];
        std::vector<BufferRef> received;
        {
          std::lock_guard lock(box.mutex);
          box.buffers.push_back(std::move(buffer));
          if (box.buffers.size() > 20) received.swap(box.buffers);
        }
        for (const BufferRef& each : received) check(each);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

#if !defined(__SANITIZE_THREAD__)  // whose own locks a child of a program with threads may find held
TEST(Pool, AChildMadeByForkWhileThreadsAllocateCanAllocate) {
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) {
      make(1'000'000);
      make(100);
    }
  });
  for (int i = 0; i < 20; ++i) {
    pid_t child = fork();
    if (child == 0) {
      alarm(20);  // a lock left held would hang: end, and fail in the parent
      for (int k = 0; k < 100; ++k) {
        BufferRef small = make(100);
        BufferRef big = make(3'000'000);
        std::memset(big->data(), 1, 3'000'000);
      }
      _exit(7);
    }
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
  }
  stop = true;
  busy.join();
}
#endif

}  // namespace
}  // namespace manycore::memory
