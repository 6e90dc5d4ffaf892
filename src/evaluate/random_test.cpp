// The stream of PCG64 against its definition, one step at a time, and cut at every place.
#include "evaluate/random.h"

#include <gtest/gtest.h>

#include <vector>

namespace manycore::evaluate {
namespace {

using Word = unsigned __int128;

double next(kernel::Pcg64* generator) {
  const Word multiplier = (Word{0x2360ED051FC65DA4ULL} << 64) | 0x4385DF649FCCF645ULL;
  generator->state = generator->state * multiplier + generator->increment;
  const auto high = static_cast<uint64_t>(generator->state >> 64), low = static_cast<uint64_t>(generator->state);
  const unsigned turn = static_cast<unsigned>(high >> 58);
  const uint64_t mixed = high ^ low, draw = turn == 0 ? mixed : (mixed >> turn) | (mixed << (64 - turn));
  return static_cast<double>(draw >> 11) / 9007199254740992.0;
}

TEST(Random, ParallelDrawsAreTheSequentialStream) {
  const kernel::Pcg64 start{(Word{0x0123456789abcdefULL} << 64) | 42, (Word{7} << 64) | 99};
  for (size_t n : {0, 1, 2, 3, 4, 5, 63, 16384, 16387, 100003}) {
    kernel::Pcg64 reference = start, generator = start;
    std::vector<double> values(n);
    draw_uniform(&generator, 2.0, 3.0, values);
    for (size_t i = 0; i < n; ++i) ASSERT_EQ(values[i], 2.0 + 3.0 * next(&reference)) << i << " of " << n;
    EXPECT_TRUE(generator.state == reference.state && generator.increment == reference.increment) << n;
  }
}

}  // namespace
}  // namespace manycore::evaluate
