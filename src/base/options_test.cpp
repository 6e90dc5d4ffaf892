#include "base/options.h"

#include <gtest/gtest.h>

namespace manycore::base {
namespace {

std::string message_of(std::string_view name, std::string_view value) {
  try {
    set_option(name, value);
  } catch (const UserError& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kValue);
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

struct Restore {
  ~Restore() {
    set_option("memory_limit", "0");
    set_option("simd", "auto");
    set_option("threads", "0");
  }
};

TEST(Options, SizesTakeSuffixesAndPercentages) {
  Restore restore;
  auto parsed = [](const char* text) {
    set_option("memory-limit", text);
    return integer_option(Option::memory_limit);
  };
  EXPECT_EQ(parsed("4000000"), 4000000);
  EXPECT_EQ(parsed("512M"), int64_t{512} << 20);
  EXPECT_EQ(parsed("1.5g"), int64_t{1536} << 20);
  EXPECT_EQ(parsed("2GiB"), int64_t{2} << 30);
  EXPECT_EQ(parsed("50%"), -50);
  EXPECT_EQ(option_source(Option::memory_limit), "set");
}

TEST(Options, AWrongValueNamesWhatIsExpected) {
  Restore restore;
  EXPECT_EQ(message_of("threads", "many"), "threads: expected a whole number that is not negative, got 'many'");
  EXPECT_EQ(message_of("threads", "-1"), "threads: expected a whole number that is not negative, got '-1'");
  EXPECT_EQ(message_of("eager", "perhaps"), "eager: expected 1, 0, true, false, yes, no, on or off, got 'perhaps'");
  EXPECT_EQ(message_of("simd", "avx3"), "simd: expected one of auto, sse4, avx2, avx512, got 'avx3'");
  EXPECT_EQ(
      message_of("memory_limit", "5X"),
      "memory_limit: expected bytes such as 4000000, 512M, 1.5G, 2T, or a percentage of the machine's such as 50%, got '5X'");
  EXPECT_EQ(message_of("memory_limit", "120%").substr(0, 13), "memory_limit:");
  set_option("simd", "avx2");
  EXPECT_EQ(message_of("dump", "program,trees"), "dump: expected any of program, groups, separated by commas, got 'trees'");
  EXPECT_NO_THROW(set_option("without_passes", "drop_unused, find_common"));
  set_option("without_passes", "");
  EXPECT_EQ(text_option(Option::simd), "avx2");
}

TEST(Options, AnUnknownNameNamesTheChoicesAndTheNearest) {
  std::string message = message_of("thread", "2");
  EXPECT_EQ(message.substr(0, 60), "set_option: unknown option 'thread', expected one of threads");
  EXPECT_NE(message.find("memory_limit"), std::string::npos);
  EXPECT_EQ(message.substr(message.rfind(';')), "; try 'threads'");
}

TEST(Options, EveryRowHasADefaultThatItsTypeAccepts) {
  for (const OptionRow& row : option_rows()) {
    SCOPED_TRACE(row.name);
    EXPECT_NO_THROW(set_option(row.name, row.fallback));
    EXPECT_STRNE(row.help, "");
  }
}

}  // namespace
}  // namespace manycore::base
