#include <gtest/gtest.h>

#include <set>

#include "type/random_view.h"

namespace manycore {
namespace {

using type_test::addresses;
using type_test::pick;
using type_test::random_view;

std::set<const std::byte*> bytes_of(const View& view) {
  std::set<const std::byte*> result;
  for (const std::byte* address : addresses(view))
    for (int64_t i = 0; i < item_size(view.dtype); ++i) result.insert(address + i);
  return result;
}

TEST(Overlap, EqualsBruteForceOnRandomViews) {
  std::mt19937 random(5);
  std::vector<std::byte> block(1100);
  constexpr DType kTypes[] = {DType::kInt8, DType::kInt16, DType::kInt32, DType::kFloat64, DType::kComplex128};
  int counts[3] = {};
  int decided_inside_hull = 0;
  for (int i = 0; i < 20000; ++i) {
    std::vector<std::byte>& area = block;
    View a = random_view(random, area, kTypes[pick(random, 0, 2)]);
    View b = random_view(random, area, kTypes[pick(random, 0, 2)]);
    b.data = a.data + pick(random, -24, 24);  // often interleaved
    std::set<const std::byte*> of_a = bytes_of(a);
    bool share = false;
    for (const std::byte* byte : bytes_of(b)) share = share || of_a.count(byte);
    Overlap answer = overlap(a, b);
    ASSERT_EQ(answer != Overlap::kNone, share)
        << shape_text(a.shape) << shape_text(a.strides) << shape_text(b.shape) << shape_text(b.strides) << b.data - a.data;
    ++counts[static_cast<int>(answer)];
    ByteRange range_a = byte_range(a);
    ByteRange range_b = byte_range(b);
    decided_inside_hull += !share && range_a.begin < range_b.end && range_b.begin < range_a.end;
  }
  EXPECT_GT(counts[static_cast<int>(Overlap::kNone)], 1000);
  EXPECT_GT(counts[static_cast<int>(Overlap::kMaybe)], 1000);
  EXPECT_GT(decided_inside_hull, 100);
}

TEST(Overlap, TheSameElementsAreSameWhateverTheStridesOfExtentOne) {
  std::byte block[64];
  View a{block, DType::kInt32, {4, 1}, {4, 4}};
  View b{block, DType::kFloat32, {4, 1}, {4, 99}};
  EXPECT_EQ(overlap(a, b), Overlap::kSame);
  EXPECT_EQ(overlap(a, View{block, DType::kInt32, {1, 4}, {4, 4}}), Overlap::kMaybe);
  EXPECT_EQ(overlap(a, View{block, DType::kInt32, {0, 1}, {4, 4}}), Overlap::kNone);
}

TEST(Overlap, InterleavedColumnsOfALargeMatrixAreDisjoint) {
  std::vector<std::byte> block(1 << 20);
  View even{block.data(), DType::kFloat64, {256, 128}, {2048, 16}};
  View odd{block.data() + 8, DType::kFloat64, {256, 128}, {2048, 16}};
  EXPECT_EQ(overlap(even, odd), Overlap::kNone);
  EXPECT_EQ(overlap(even, even), Overlap::kSame);
}

bool repeats_bytes(const View& view) { return static_cast<int64_t>(bytes_of(view).size()) < view.nbytes(); }

TEST(OverlapItself, IsNeverAnsweredForViewsOfDenseArrays) {
  std::mt19937 random(8);
  std::vector<std::byte> block(5000);  // four axes of 4 complex numbers take 4096 bytes
  for (int i = 0; i < 5000; ++i) {
    const View view = random_view(random, block, i % 2 == 0 ? DType::kInt16 : DType::kComplex128);
    ASSERT_FALSE(repeats_bytes(view));
    ASSERT_FALSE(may_overlap_itself(view)) << shape_text(view.shape) << shape_text(view.strides);
  }
}

TEST(OverlapItself, IsNeverMissedWhateverTheStrides) {
  std::mt19937 random(9);
  int counts[2] = {};
  for (int i = 0; i < 20000; ++i) {
    View view{reinterpret_cast<std::byte*>(uintptr_t{1} << 40), i % 2 == 0 ? DType::kInt16 : DType::kFloat64, {}, {}};
    for (int axis = static_cast<int>(pick(random, 0, 3)); axis > 0; --axis) {
      view.shape.push_back(pick(random, 1, 4));
      view.strides.push_back(pick(random, -40, 40));
    }
    const bool repeats = repeats_bytes(view);
    const bool answer = may_overlap_itself(view);
    ASSERT_TRUE(answer || !repeats) << shape_text(view.shape) << shape_text(view.strides);
    if (view.ndim() <= 1) ASSERT_EQ(answer, repeats) << shape_text(view.shape) << shape_text(view.strides);
    ++counts[repeats];
  }
  EXPECT_GT(counts[0], 1000);
  EXPECT_GT(counts[1], 1000);
}

TEST(OverlapItself, IsNotAnsweredForEmptyViewsAndExtentsOfOne) {
  std::byte block[64];
  EXPECT_TRUE(may_overlap_itself(View{block, DType::kInt32, {2, 3}, {0, 4}}));
  EXPECT_FALSE(may_overlap_itself(View{block, DType::kInt32, {1, 3}, {0, 4}}));
  EXPECT_FALSE(may_overlap_itself(View{block, DType::kInt32, {2, 0, 3}, {0, 4, 0}}));
}

// A knapsack that takes 2^20 tries by brute force: the answer must come, and may only err on the safe side.
TEST(Overlap, HardLayoutsAreAnsweredWithinTheWorkLimit) {
  std::byte* base = reinterpret_cast<std::byte*>(uintptr_t{1} << 40);
  Dims shape(20, 2);
  Dims strides(20);
  std::mt19937 random(6);
  for (int axis = 0; axis < 20; ++axis) strides[axis] = 2 * pick(random, 1 << 20, 1 << 21);
  View a{base, DType::kInt8, shape, strides};
  View b{base + 1, DType::kInt8, shape, strides};
  EXPECT_EQ(overlap(a, b), Overlap::kNone);  // all strides even, so odd and even addresses never meet
  b.data = base + 7 * (1 << 20);
  EXPECT_NE(overlap(a, b), Overlap::kSame);
}

}  // namespace
}  // namespace manycore
