#include "kernel/dispatch.h"

#include <gtest/gtest.h>

#include <string>

namespace manycore::kernel {
namespace {

TEST(Dispatch, EveryLevelOfTheMachineCanBeChosenAndIsTheOneInForce) {
  const std::string best = simd_level();
  ASSERT_EQ(best, simd_levels().front());
  for (const char* level : simd_levels()) {
    ASSERT_TRUE(set_simd_level(level));
    EXPECT_STREQ(simd_level(), level);
  }
  EXPECT_FALSE(set_simd_level("avx1024"));
  ASSERT_TRUE(set_simd_level("auto"));
  EXPECT_EQ(simd_level(), best);
}

}  // namespace
}  // namespace manycore::kernel
