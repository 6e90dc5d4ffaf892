#include "kernel/positions.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kernel/dispatch.h"

namespace manycore::kernel {
namespace {

TEST(Positions, EveryTrueByteIsFoundInOrderAtEveryLevel) {
  for (const char* level : simd_levels()) {
    ASSERT_TRUE(set_simd_level(level));
    for (int64_t n : {0, 1, 15, 63, 64, 65, 200, 4096, 20001}) {
      for (double share : {0.0, 0.01, 0.5, 1.0}) {
        std::mt19937 generator(static_cast<unsigned>(n));
        std::bernoulli_distribution chosen(share);
        std::vector<uint8_t> mask(static_cast<size_t>(n));
        std::vector<uint32_t> expected, got(static_cast<size_t>(n + kPositionsSlack), 7);
        for (size_t i = 0; i < mask.size(); ++i) {
          mask[i] = chosen(generator) ? static_cast<uint8_t>(1 + i % 255) : uint8_t{0};  // any nonzero byte is true
          if (mask[i] != 0) expected.push_back(static_cast<uint32_t>(i));
        }
        EXPECT_EQ(count_true(mask.data(), n), static_cast<int64_t>(expected.size())) << level;
        got.resize(static_cast<size_t>(true_positions(mask.data(), n, got.data())));
        EXPECT_EQ(got, expected) << level << " " << n << " " << share;
      }
    }
  }
  set_simd_level("auto");
}

}  // namespace
}  // namespace manycore::kernel
