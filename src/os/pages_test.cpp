#include "os/pages.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "os/memory_file.h"

namespace manycore::os {
namespace {

constexpr int64_t kPages = 8;
constexpr int64_t kBytes = kPages * kPageBytes;

// Is what was written to a private mapping of the file forgotten, and the file shown again?
bool drops_what_is_written(const MemoryFile& file) {
  std::byte* pages = map_private(file.descriptor(), 0, kBytes);
  if (pages == nullptr) return false;
  fault_in_for_reading(pages, kBytes);
  pages[3 * kPageBytes + 1] = std::byte{2};
  pages[kBytes - 1] = std::byte{2};
  const bool dropped = drop_written_pages(pages, kBytes);
  const bool shown = pages[3 * kPageBytes + 1] == std::byte{1} && pages[kBytes - 1] == std::byte{1};
  unmap_pages(pages, kBytes);
  return dropped && shown;
}

TEST(DropWrittenPages, InAChildOfForkToo) {
  MemoryFile file = MemoryFile::create("pages-test", 0);
  const std::vector<std::byte> ones(kBytes, std::byte{1});
  ASSERT_TRUE(file.write(0, ones.data(), kBytes));
  if (!drops_what_is_written(file)) GTEST_SKIP() << "the system does not tell which pages were written";
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(drops_what_is_written(file) && drops_what_is_written(file) ? 0 : 1);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the child asked about its parent's pages, or not at all";
  EXPECT_TRUE(drops_what_is_written(file));
}

TEST(MapOfAFile, LiesWhereItsHugePagesDo) {
  MemoryFile file = MemoryFile::create("pages-test", 4 * kHugePageBytes);
  for (auto map : {map_shared, map_private}) {
    std::byte* pages = map(file.descriptor(), kHugePageBytes, kHugePageBytes + kPageBytes);
    ASSERT_NE(pages, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(pages) % kHugePageBytes, 0U);
    EXPECT_EQ(pages[kHugePageBytes], std::byte{0});
    unmap_pages(pages, kHugePageBytes + kPageBytes);
  }
}

}  // namespace
}  // namespace manycore::os
