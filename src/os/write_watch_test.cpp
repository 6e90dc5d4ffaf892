#include "os/write_watch.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "os/pages.h"

namespace manycore::os {
namespace {

constexpr int64_t kBytes = 64 * kPageBytes;

class WriteWatch : public testing::Test {
 protected:
  void SetUp() override {
    pages = map_pages(kBytes);
    std::memset(pages, 1, kBytes);
    watch = watch_writes(pages, kBytes);
    if (watch == 0) GTEST_SKIP() << "the system does not watch writes";
    ASSERT_TRUE(watched_well(pages, kBytes));
    ASSERT_TRUE(unwritten(pages, kBytes, watch));
  }
  void TearDown() override {
    if (pages != nullptr) unmap_pages(pages, kBytes);
  }
  std::byte* pages = nullptr;
  uint64_t watch = 0;
};

TEST_F(WriteWatch, SeesAWriteToAnyPage) {
  for (int64_t page : {0, 17, 63}) {
    ASSERT_NE(watch = watch_writes(pages, kBytes), 0u);
    ASSERT_TRUE(unwritten(pages, kBytes, watch));
    pages[page * kPageBytes + 5] = std::byte{1};  // the same value
    EXPECT_FALSE(unwritten(pages, kBytes, watch));
  }
}

TEST_F(WriteWatch, SeesWhatTheKernelWrites) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  EXPECT_TRUE(unwritten(pages, kBytes, watch));
  ASSERT_EQ(read(ends[0], pages + 9 * kPageBytes, 1), 1);
  EXPECT_FALSE(unwritten(pages, kBytes, watch));
  close(ends[0]);
  close(ends[1]);
}

TEST_F(WriteWatch, TakesDroppedMemoryForWritten) {
  drop_pages(pages + 3 * kPageBytes, kPageBytes);
  EXPECT_FALSE(unwritten(pages, kBytes, watch));
  EXPECT_EQ(pages[3 * kPageBytes], std::byte{0});
  EXPECT_FALSE(unwritten(pages, kBytes, watch));
}

TEST_F(WriteWatch, TakesMemoryThatWasMappedAnewForWritten) {
  ASSERT_EQ(mmap(pages, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), pages);
  EXPECT_FALSE(unwritten(pages, kBytes, watch));
  std::memset(pages, 1, kBytes);
  EXPECT_FALSE(unwritten(pages, kBytes, watch));
}

TEST_F(WriteWatch, TakesAPartThatWasMappedAnewForWritten) {
  ASSERT_NE(mmap(pages + 8 * kPageBytes, kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
            MAP_FAILED);
  EXPECT_FALSE(unwritten(pages, kBytes, watch));
}

TEST_F(WriteWatch, TakesMovedMemoryForWritten) {
  void* elsewhere = mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  auto* moved = static_cast<std::byte*>(mremap(pages, kBytes, kBytes, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere));
  ASSERT_EQ(moved, elsewhere);
  pages = moved;
  EXPECT_FALSE(unwritten(pages, kBytes, watch));
}

TEST_F(WriteWatch, ForgetsAndWatchesAgain) {
  forget_writes(pages, kBytes);
  EXPECT_FALSE(unwritten(pages, kBytes, watch));
  ASSERT_NE(watch = watch_writes(pages, kBytes), 0u);
  EXPECT_TRUE(unwritten(pages, kBytes, watch));
}

TEST_F(WriteWatch, EndsWhereAnotherBegins) {
  pages[20 * kPageBytes] = std::byte{7};
  // The kernel's mark of the page is clean again, but not for the first watch.
  const uint64_t part = watch_writes(pages + 16 * kPageBytes, 8 * kPageBytes);
  ASSERT_NE(part, 0u);
  EXPECT_TRUE(unwritten(pages + 16 * kPageBytes, 8 * kPageBytes, part));
  EXPECT_FALSE(unwritten(pages, kBytes, watch));
  const uint64_t whole = watch_writes(pages, kBytes);
  EXPECT_TRUE(unwritten(pages, kBytes, whole));
  EXPECT_FALSE(unwritten(pages, kBytes, watch));
  EXPECT_FALSE(unwritten(pages + 16 * kPageBytes, 8 * kPageBytes, part));
}

TEST_F(WriteWatch, HoldsThroughAForkAndNotInTheChild) {
  const pid_t child = fork();
  if (child == 0) {
    const bool wrong = unwritten(pages, kBytes, watch);
    pages[0] = std::byte{2};
    _exit(wrong ? 1 : 0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(unwritten(pages, kBytes, watch));
  pages[0] = std::byte{3};
  EXPECT_FALSE(unwritten(pages, kBytes, watch));
}

TEST_F(WriteWatch, KnowsZeroesThatWereNeverWritten) {
  std::byte* zeroes = map_pages(kBytes);
  ASSERT_NE(watch = watch_writes(zeroes, kBytes), 0u);
  std::byte sum{0};
  for (int64_t i = 0; i < kBytes; i += kPageBytes) sum |= *const_cast<volatile std::byte*>(zeroes + i);
  EXPECT_EQ(sum, std::byte{0});
  EXPECT_TRUE(watched_well(zeroes, kBytes));
  zeroes[40 * kPageBytes] = std::byte{1};
  EXPECT_FALSE(unwritten(zeroes, kBytes, watch));
  unmap_pages(zeroes, kBytes);
}

TEST_F(WriteWatch, DoesNotTrustSharedMemory) {
  auto* shared = static_cast<std::byte*>(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  std::memset(shared, 1, kBytes);
  EXPECT_FALSE(watch_writes(shared, kBytes) != 0 && watched_well(shared, kBytes));
  unmap_pages(shared, kBytes);
}

TEST_F(WriteWatch, WorksWithHugePages) {
  constexpr int64_t kLarge = 8 * kHugePageBytes;
  std::byte* huge = map_pages(kLarge, kHugePageBytes);
  prefer_huge_pages(huge, kLarge);
  std::memset(huge, 1, kLarge);
  ASSERT_NE(watch = watch_writes(huge, kLarge), 0u);
  EXPECT_TRUE(watched_well(huge, kLarge));
  EXPECT_TRUE(unwritten(huge, kLarge, watch));
  huge[3 * kHugePageBytes + 5 * kPageBytes] = std::byte{2};
  EXPECT_FALSE(unwritten(huge, kLarge, watch));
  unmap_pages(huge, kLarge);
}

}  // namespace
}  // namespace manycore::os
