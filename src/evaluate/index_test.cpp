#include "evaluate/index.h"

#include <gtest/gtest.h>

#include <random>

#include "evaluate/assign.h"

namespace manycore::evaluate {
namespace {

Array counted(const Dims& shape, DType dtype = DType::kInt64) {
  Array values = Array::empty(shape, DType::kInt64);
  auto elements = values.elements<int64_t>();
  for (size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<int64_t>(i);
  return values.astype(dtype);
}

Array positions(std::initializer_list<int64_t> values) {
  return Array::from<int64_t>(std::span(values.begin(), values.size()), Dims{static_cast<int64_t>(values.size())});
}

std::vector<int64_t> flat(const Array& array) {
  const Array plain = copy(array.view(), CopyOrder::kC).astype(DType::kInt64);
  const auto elements = plain.elements<int64_t>();
  return {elements.begin(), elements.end()};
}

TEST(Gather, OneIndexTakesRowsOfEveryLayout) {
  const Array array = counted(Dims{4, 3});
  const Array index = positions({2, -1, 0});
  const View views[] = {index.view()};
  const int first[] = {0};
  EXPECT_EQ(flat(gather(array.view(), {views, first, 0})), (std::vector<int64_t>{6, 7, 8, 9, 10, 11, 0, 1, 2}));
  const Array turned = array.transpose();
  const int second[] = {1};
  EXPECT_EQ(flat(gather(turned.view(), {views, second, 1})), (std::vector<int64_t>{6, 9, 0, 7, 10, 1, 8, 11, 2}));
}

TEST(Gather, IndicesBroadcastTogether) {
  const Array array = counted(Dims{4, 5}, DType::kFloat32);
  const Array rows = positions({0, 3}).reshape(Dims{2, 1});
  const Array columns = positions({4, 0, -2}).astype(DType::kInt16);
  const View views[] = {rows.view(), columns.view()};
  const int axes[] = {0, 1};
  const Array result = gather(array.view(), {views, axes, 0});
  EXPECT_EQ(result.shape(), (Dims{2, 3}));
  EXPECT_EQ(flat(result), (std::vector<int64_t>{4, 0, 3, 19, 15, 18}));
}

TEST(Gather, EqualsPlainLoopsAboveTheParallelSize) {
  std::mt19937_64 random(1);
  const int64_t extent = 50'000;
  const Array array = counted(Dims{extent});
  Array index = Array::empty(Dims{300'000}, DType::kInt64);
  for (int64_t& at : index.elements<int64_t>()) at = static_cast<int64_t>(random() % (2 * extent)) - extent;
  const View views[] = {index.view()};
  const int axes[] = {0};
  const Array result = gather(array.view(), {views, axes, 0});
  const auto got = result.elements<int64_t>();
  const auto at = index.elements<int64_t>();
  for (size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], at[i] < 0 ? at[i] + extent : at[i]);
}

TEST(Scatter, TheLastOfEqualPositionsWins) {
  const Array array = counted(Dims{4});
  const Array index = positions({1, 1, 3, 1});
  const Array values = positions({10, 11, 12, 13});
  const View views[] = {index.view()};
  const int axes[] = {0};
  scatter(array.view(), {views, axes, 0}, values.view());
  EXPECT_EQ(flat(array), (std::vector<int64_t>{0, 13, 2, 12}));
}

TEST(Scatter, NothingIsWrittenWhenAPositionIsOutOfBounds) {
  for (int64_t wrong : {int64_t{4}, int64_t{-5}, std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()}) {
    const Array array = counted(Dims{4});
    const Array index = positions({0, 1, wrong});
    const Array value = counted(Dims());
    const View views[] = {index.view()};
    const int axes[] = {0};
    try {
      scatter(array.view(), {views, axes, 0}, value.view());
      FAIL() << "expected UserError";
    } catch (const UserError& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kIndex);
      EXPECT_EQ(error.what(), "index " + std::to_string(wrong) + " is out of bounds for axis 0 with size 4");
    }
    EXPECT_EQ(flat(array), (std::vector<int64_t>{0, 1, 2, 3}));
  }
}

TEST(Scatter, AnIndexThatIsWrittenIsReadFirst) {
  const Array array = positions({3, 2, 1, 0});
  const Array values = positions({0, 0, 0, 3});
  const View views[] = {array.view()};
  const int axes[] = {0};
  scatter(array.view(), {views, axes, 0}, values.view());
  EXPECT_EQ(flat(array), (std::vector<int64_t>{3, 0, 0, 0}));
}

TEST(Select, ReadsAndWritesWhereTheMaskIsTrue) {
  std::mt19937_64 random(2);
  for (int64_t size : {int64_t{0}, int64_t{1}, int64_t{7}, int64_t{64}, int64_t{1000}, int64_t{200'001}}) {
    const Array array = counted(Dims{size});
    Array mask = Array::empty(Dims{size}, DType::kBool);
    std::vector<int64_t> expected;
    std::vector<int64_t> written = flat(array);
    for (int64_t i = 0; i < size; ++i) {
      mask.elements<bool>()[static_cast<size_t>(i)] = random() % 3 == 0;
      if (!mask.elements<bool>()[static_cast<size_t>(i)]) continue;
      expected.push_back(i);
      written[static_cast<size_t>(i)] = -i;
    }
    EXPECT_EQ(flat(select(array.view(), mask.view())), expected);
    EXPECT_EQ(flat(nonzero(mask.view())[0]), expected);
    std::vector<int64_t> negated;
    for (int64_t value : expected) negated.push_back(-value);
    const Array values = Array::from<int64_t>(std::span<const int64_t>(negated), Dims{static_cast<int64_t>(negated.size())});
    assign_selected(array.view(), mask.view(), values.view());
    EXPECT_EQ(flat(array), written);
    assign_selected(array.view(), mask.view(), counted(Dims()).view());
    for (int64_t i : expected) written[static_cast<size_t>(i)] = 0;
    EXPECT_EQ(flat(array), written);
  }
}

TEST(Select, AMaskOverLeadingAxesTakesBlocks) {
  const Array array = counted(Dims{2, 2, 3});
  const Array mask = positions({0, 1, 1, 0}).reshape(Dims{2, 2}).astype(DType::kBool);
  EXPECT_EQ(flat(select(array.view(), mask.view())), (std::vector<int64_t>{3, 4, 5, 6, 7, 8}));
  const auto places = nonzero(mask.view());
  EXPECT_EQ(flat(places[0]), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(flat(places[1]), (std::vector<int64_t>{1, 0}));
  assign_selected(array.view(), mask.view(), positions({7, 8, 9}).view());
  EXPECT_EQ(flat(array), (std::vector<int64_t>{0, 1, 2, 7, 8, 9, 7, 8, 9, 9, 10, 11}));
}

TEST(Repeat, EveryElementAndEveryBlock) {
  const Array array = counted(Dims{2, 2}, DType::kInt8);
  EXPECT_EQ(flat(repeat(array.view(), 2, 1)), (std::vector<int64_t>{0, 0, 1, 1, 2, 2, 3, 3}));
  EXPECT_EQ(flat(repeat(array.view(), 2, 0)), (std::vector<int64_t>{0, 1, 0, 1, 2, 3, 2, 3}));
  EXPECT_EQ(flat(repeat(array.transpose().view(), 3, 0)), (std::vector<int64_t>{0, 2, 0, 2, 0, 2, 1, 3, 1, 3, 1, 3}));
  EXPECT_EQ(repeat(array.view(), 0, 0).shape(), (Dims{0, 2}));
}

TEST(Take, GivesCOrderAlongAnyAxis) {
  const Array array = counted(Dims{2, 3});
  const Array result = take(array.view(), positions({2, 0}).view(), 1);
  EXPECT_EQ(flat(result), (std::vector<int64_t>{2, 0, 5, 3}));
  EXPECT_TRUE(result.is_c_contiguous());
}

}  // namespace
}  // namespace manycore::evaluate
