// Gather, scatter and masks against element-by-element loops, over layouts, dtypes and sizes on both sides of the piece borders.
#include "evaluate/index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

namespace manycore::evaluate {
namespace {

Array numbers(const Dims& shape) {
  Array array = Array::empty(shape, DType::kInt64);
  for (int64_t i = 0; i < array.size(); ++i) array.elements<int64_t>()[i] = i;
  return array;
}

Array random_mask(const Dims& shape, double share, unsigned seed) {
  std::mt19937 generator(seed);
  std::bernoulli_distribution chosen(share);
  Array mask = Array::empty(shape, DType::kBool);
  for (bool& value : mask.elements<bool>()) value = chosen(generator);
  return mask;
}

TEST(Index, SelectPacksExactlyTheTrueElements) {
  for (int64_t n : {0, 1, 63, 64, 65, 1000, 32768, 100003}) {
    for (double share : {0.0, 0.03, 0.5, 1.0}) {
      const Array source = numbers({n}), mask = random_mask({n}, share, static_cast<unsigned>(n));
      std::vector<int64_t> expected;
      for (int64_t i = 0; i < n; ++i) {
        if (mask.elements<bool>()[i]) expected.push_back(i);
      }
      for (DType dtype : {DType::kInt8, DType::kInt16, DType::kInt32, DType::kInt64, DType::kComplex128}) {
        const Array cast = source.astype(dtype);
        const Array got = select(cast.view(), mask.view()), want = Array::from<int64_t>(expected, {static_cast<int64_t>(expected.size())}).astype(dtype);
        ASSERT_EQ(got.shape(), want.shape());
        if (got.size() > 0) {
          EXPECT_EQ(std::memcmp(got.data(), want.data(), got.nbytes()), 0) << n << " " << share;
        }
      }
      const std::vector<Array> positions = nonzero(mask.view());
      EXPECT_TRUE(std::ranges::equal(positions[0].elements<int64_t>(), expected));
    }
  }
}

TEST(Index, GatherFollowsRowsOfAStridedArray) {
  const Array base = numbers({40, 30}), source = base.slice(0, std::nullopt, std::nullopt, -2).transpose();  // (30, 20)
  const int64_t rows[] = {3, -1, 0, 29, -30, 3};
  const Array index = Array::from<int64_t>(rows, {2, 3});
  const Array got = take(source.view(), index.view(), 0);
  ASSERT_EQ(got.shape(), (Dims{2, 3, 20}));
  for (int i = 0; i < 6; ++i) {
    const int64_t row = rows[i] < 0 ? rows[i] + 30 : rows[i];
    for (int64_t j = 0; j < 20; ++j) EXPECT_EQ(got.elements<int64_t>()[i * 20 + j], (39 - 2 * j) * 30 + row);
  }
}

TEST(Index, ScatterLetsTheLastOfEqualPositionsWin) {
  Array target = Array::zeros({5000}, DType::kInt64);
  std::vector<int64_t> positions, values;
  std::vector<int64_t> expected(5000, 0);
  std::mt19937 generator(7);
  for (int64_t i = 0; i < 20000; ++i) {
    positions.push_back(static_cast<int64_t>(generator() % 5000));
    values.push_back(i);
    expected[positions.back()] = i;
  }
  const Array index = Array::from<int64_t>(positions, {20000}), value = Array::from<int64_t>(values, {20000});
  const View views[] = {index.view()};
  const int axes[] = {0};
  scatter(target.view(), {views, axes, 0}, value.view());
  EXPECT_TRUE(std::ranges::equal(target.elements<int64_t>(), expected));
}

TEST(Index, PositionsOutOfBoundsAreNamedAndNothingIsWritten) {
  Array target = numbers({5});
  const int64_t positions[] = {0, 7};
  const Array index = Array::from<int64_t>(positions, {2}), value = Array::zeros({2}, DType::kInt64);
  const View views[] = {index.view()};
  const int axes[] = {0};
  try {
    scatter(target.view(), {views, axes, 0}, value.view());
    FAIL() << "no error";
  } catch (const UserError& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kIndex);
    EXPECT_STREQ(error.what(), "index 7 is out of bounds for axis 0 with size 5");
  }
  EXPECT_EQ(target.elements<int64_t>()[0], 0);
  EXPECT_EQ(target.elements<int64_t>()[1], 1);
}

TEST(Index, AssignSelectedWritesValuesInOrder) {
  for (int64_t n : {10, 70000}) {
    Array target = numbers({n});
    const Array mask = random_mask({n}, 0.4, 3), source = numbers({n});
    const Array chosen = select(source.view(), mask.view());
    Array negative = Array::empty(chosen.shape(), DType::kInt64);
    for (int64_t i = 0; i < chosen.size(); ++i) negative.elements<int64_t>()[i] = -chosen.elements<int64_t>()[i] - 1;
    assign_selected(target.view(), mask.view(), negative.view());
    for (int64_t i = 0; i < n; ++i) EXPECT_EQ(target.elements<int64_t>()[i], mask.elements<bool>()[i] ? -i - 1 : i);
  }
}

}  // namespace
}  // namespace manycore::evaluate
