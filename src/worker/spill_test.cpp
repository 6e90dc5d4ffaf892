#include "worker/spill.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "manycore/errors.h"
#include "worker/private_block.h"

namespace manycore::worker {
namespace {

constexpr int64_t kBytes = 300'000;

std::vector<char> filled(char value) { return std::vector<char>(kBytes, value); }

struct Pair {
  std::shared_ptr<Spill> spill = std::make_shared<Spill>();
  std::shared_ptr<BlockReader> reader = std::make_shared<BlockReader>(-1);

  PrivateBlock open(const Lease& lease) {
    return reader->find_spill(getpid(), lease.place()) ? reader->open(lease.place()) : PrivateBlock();
  }
};

bool holds(const PrivateBlock& block, const std::vector<char>& data) {
  return block.valid() && block.bytes() == kBytes && std::memcmp(block.data(), data.data(), data.size()) == 0;
}

struct stat facts_of(const Lease& lease) {
  struct stat facts {};
  fstat(static_cast<int>(lease.place().file) - 1, &facts);
  return facts;
}

TEST(Spill, BytesArriveAndAreTheReceiversOwn) {
  Pair pair;
  const auto lease = pair.spill->store(filled('a').data(), kBytes);
  const auto other = pair.spill->store(filled('b').data(), kBytes);
  PrivateBlock block = pair.open(*lease);
  ASSERT_TRUE(holds(block, filled('a')));
  EXPECT_TRUE(holds(pair.open(*other), filled('b')));
  block.data()[0] = std::byte{7};
  EXPECT_TRUE(holds(pair.open(*lease), filled('a')));
  EXPECT_EQ(pair.spill->bytes_spilled(), 2 * kBytes);
}

TEST(Spill, TheFileHasNoNameIsPrivateAndGivesItsSpaceBack) {
  Pair pair;
  auto lease = pair.spill->store(filled('a').data(), kBytes);
  auto other = pair.spill->store(filled('b').data(), kBytes);
  const struct stat facts = facts_of(*lease);
  EXPECT_EQ(facts.st_nlink, 0U);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
  lease.reset();
  EXPECT_LT(facts_of(*other).st_blocks * 512, facts.st_blocks * 512);
  auto third = pair.spill->store(filled('c').data(), kBytes);
  EXPECT_TRUE(holds(pair.open(*other), filled('b')));
  EXPECT_TRUE(holds(pair.open(*third), filled('c')));
  other.reset();
  EXPECT_EQ(pair.spill->in_use(), 1);
  const int descriptor = static_cast<int>(third->place().file) - 1;
  third.reset();
  EXPECT_EQ(os::file_bytes(descriptor), 0);
}

TEST(Spill, AFolderThatIsNotThereIsAnErrorThatNamesIt) {
  const char* before = getenv("TMPDIR");
  const std::string kept = before != nullptr ? before : "";
  setenv("TMPDIR", "/nonexistent/folder", 1);
  const auto spill = std::make_shared<Spill>();
  try {
    spill->store("x", 1);
    ADD_FAILURE() << "no error";
  } catch (const ResourceError& error) {
    EXPECT_NE(std::string(error.what()).find("/nonexistent/folder"), std::string::npos) << error.what();
  }
  before != nullptr ? setenv("TMPDIR", kept.c_str(), 1) : unsetenv("TMPDIR");
  EXPECT_NE(spill->store("x", 1), nullptr);
}

TEST(Spill, PlacesThatNobodySentAreRefused) {
  Pair pair;
  EXPECT_FALSE(pair.reader->find_spill(getpid(), {uint64_t{1} << 40, 0, 10}));
  EXPECT_FALSE(pair.reader->find_spill(getpid(), {100'000, 0, 10}));
  EXPECT_FALSE(pair.reader->open({5, 0, 10}).valid());
  const auto lease = pair.spill->store(filled('a').data(), kBytes);
  BlockPlace beyond = lease->place();
  ASSERT_TRUE(pair.reader->find_spill(getpid(), beyond));
  beyond.offset += int64_t{1} << 30;
  EXPECT_FALSE(pair.reader->open(beyond).valid());
}

}  // namespace
}  // namespace manycore::worker
