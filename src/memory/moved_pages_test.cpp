// What may stand in the way when a fresh block is made of the pages of free ones (pool_test.cpp has the plain case).
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

#include "manycore/buffer.h"
#include "memory/pool.h"
#include "os/pages.h"
#include "os/write_watch.h"

namespace manycore::memory {
namespace {

constexpr int64_t kHeaders = 1 << 20;  // what the headers of blocks may add to the account

BufferRef make(int64_t nbytes) { return BufferRef::adopt(Buffer::allocate(nbytes)); }

TEST(MovedPages, PagesThatWereWatchedMoveWhole) {
  Pool::instance().trim(INT64_MAX);
  {
    BufferRef watched = make(24 << 20);
    std::memset(watched->data(), 7, static_cast<size_t>(watched->nbytes()));
    // Begins and ends within a huge page, which no one mapping holds then.
    if (os::watch_writes(watched->data() + (5 << 20) + 4096, 10 << 20) == 0) GTEST_SKIP() << "the system does not watch writes";
  }
  const int64_t before = Pool::instance().statistics().moved_bytes;
  BufferRef larger = make(64 << 20);
  EXPECT_EQ(Pool::instance().statistics().moved_bytes - before, 24 << 20);
  for (int64_t i = 0; i < 24 << 20; i += 4096) ASSERT_EQ(larger->data()[i], std::byte{7});
  std::memset(larger->data(), 8, static_cast<size_t>(larger->nbytes()));
}

// Blocks of 24 and 30 MiB, both free, of which the first has lost a page: no system moves what begins there.
void refuse_to_move() {
  const int64_t held = Account::arrays().held();
  {
    BufferRef broken = make(24 << 20), whole = make(30 << 20);
    for (const BufferRef& block : {broken, whole}) std::memset(block->data(), 7, static_cast<size_t>(block->nbytes()));
    os::unmap_pages(broken->data() + (4 << 20), 4096);
    whole = {};  // the one that was not used for longest moves first
  }
  const int64_t before = Pool::instance().statistics().moved_bytes;
  for (int round = 0; round < 3; ++round) {
    BufferRef larger = BufferRef::adopt(round == 1 ? Buffer::allocate_zeroed(31 << 20) : Buffer::allocate(80 << 20));
    for (int64_t i = 0; round == 1 && i < larger->nbytes(); ++i) {
      if (larger->data()[i] != std::byte{0}) _exit(2);
    }
    std::memset(larger->data(), 8, static_cast<size_t>(larger->nbytes()));
  }
  const PoolStatistics after = Pool::instance().statistics();
  if (after.moved_bytes - before != 30 << 20) _exit(3);
  if (Account::arrays().held() - held - after.cached_bytes > kHeaders) _exit(4);
  Pool::instance().trim(INT64_MAX);
  _exit(Account::arrays().held() - held <= kHeaders ? 0 : 5);
}

TEST(MovedPages, AMoveThatTheSystemRefusesIsTheLastAndLeavesWholeBlocks) {
  Pool::instance().trim(INT64_MAX);
  EXPECT_EXIT(refuse_to_move(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace manycore::memory
