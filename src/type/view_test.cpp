#include "manycore/view.h"

#include <gtest/gtest.h>

#include "manycore/errors.h"
#include "type/random_view.h"

namespace manycore {
namespace {

using type_test::addresses;
using type_test::pick;
using type_test::random_view;

// Message of the UserError that `call` throws; fails the test when it throws none.
template <class F>
std::string message_of(ErrorKind kind, F call) {
  try {
    call();
  } catch (const UserError& error) {
    EXPECT_EQ(error.kind(), kind);
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

TEST(View, ContiguityMeansThatElementsFollowEachOther) {
  std::mt19937 random(1);
  std::vector<std::byte> block(4096);
  int contiguous = 0;
  for (int i = 0; i < 3000; ++i) {
    View view = random_view(random, block, DType::kFloat32);
    for (bool fortran : {false, true}) {
      auto all = addresses(view, fortran);
      bool expected = true;
      for (size_t k = 1; k < all.size(); ++k) expected = expected && all[k] == all[k - 1] + 4;
      EXPECT_EQ(fortran ? view.is_f_contiguous() : view.is_c_contiguous(), expected);
      contiguous += expected;
    }
  }
  EXPECT_GT(contiguous, 100);
}

TEST(View, EmptyViewsAreContiguousAndTouchNoBytes) {
  View view{nullptr, DType::kFloat64, {3, 0, 2}, {5, 7, 9}};
  EXPECT_TRUE(view.is_c_contiguous());
  EXPECT_TRUE(view.is_f_contiguous());
  EXPECT_EQ(byte_range(view).begin, nullptr);
  EXPECT_EQ(c_strides({3, 0, 2}, 8), Dims({0, 0, 0}));
}

TEST(View, AlignmentOfComplexNumbersIsThatOfTheirParts) {
  alignas(16) std::byte block[64];
  EXPECT_TRUE((View{block + 8, DType::kComplex128, {2}, {24}}.is_aligned()));
  EXPECT_FALSE((View{block + 4, DType::kComplex128, {2}, {16}}.is_aligned()));
  EXPECT_FALSE((View{block, DType::kFloat64, {2}, {4}}.is_aligned()));
  EXPECT_TRUE((View{block, DType::kFloat64, {1}, {3}}.is_aligned()));
}

TEST(View, ByteRangeIsTheHullOfAllElements) {
  std::mt19937 random(2);
  std::vector<std::byte> block(4096);
  for (int i = 0; i < 1000; ++i) {
    View view = random_view(random, block, DType::kInt16);
    auto all = addresses(view);
    ByteRange range = byte_range(view);
    EXPECT_EQ(range.begin, *std::min_element(all.begin(), all.end()));
    EXPECT_EQ(range.end, *std::max_element(all.begin(), all.end()) + 2);
  }
}

TEST(View, SizesThatDoNotFitAreRefusedInNumpysWords) {
  EXPECT_EQ(checked_size({3, 4}, 8), 12);
  EXPECT_EQ(checked_size({3, 0, 4}, 8), 0);
  EXPECT_EQ(message_of(ErrorKind::kValue,
                       [] {
                         checked_size({int64_t{1} << 40, int64_t{1} << 40}, 8);
                       }),
            "array is too big; `arr.size * arr.dtype.itemsize` is larger than the maximum possible size.");
  EXPECT_EQ(message_of(ErrorKind::kValue,
                       [] {
                         checked_size({0, int64_t{1} << 40, int64_t{1} << 40}, 8);
                       }),
            "array is too big; `arr.size * arr.dtype.itemsize` is larger than the maximum possible size.");
  EXPECT_EQ(message_of(ErrorKind::kValue, [] { checked_size({-1}, 8); }), "negative dimensions are not allowed");
  EXPECT_EQ(message_of(ErrorKind::kValue, [] { checked_size(Dims(65, 1), 8); }),
            "maximum supported dimension for an ndarray is currently 64, found 65");
}

TEST(View, ShapesPrintAsNumpyPrintsThem) {
  EXPECT_EQ(shape_text({}), "()");
  EXPECT_EQ(shape_text({3}), "(3,)");
  EXPECT_EQ(shape_text({3, 4, 5}), "(3,4,5)");
}

// ---- broadcasting

TEST(Broadcast, ShapesFollowTheRuleOrRaiseWithBothShapes) {
  std::mt19937 random(3);
  int failed = 0;
  for (int i = 0; i < 5000; ++i) {
    Dims a(static_cast<int>(pick(random, 0, 6)));
    Dims b(static_cast<int>(pick(random, 0, 6)));
    for (int64_t& extent : a) extent = pick(random, 0, 3);
    for (int64_t& extent : b) extent = pick(random, 0, 3);
    Dims expected(std::max(a.size(), b.size()));
    bool fits = true;
    for (int k = 1; k <= expected.size(); ++k) {  // from the last axis
      int64_t x = k <= a.size() ? a[a.size() - k] : 1;
      int64_t y = k <= b.size() ? b[b.size() - k] : 1;
      fits = fits && (x == y || x == 1 || y == 1);
      expected[expected.size() - k] = x == 1 ? y : x;
    }
    if (fits) {
      EXPECT_EQ(broadcast_shapes(a, b), expected);
    } else {
      ++failed;
      EXPECT_EQ(message_of(ErrorKind::kValue, [&] { broadcast_shapes(a, b); }),
                "operands could not be broadcast together with shapes " + shape_text(a) + " " + shape_text(b) + " ");
    }
  }
  EXPECT_GT(failed, 500);
}

TEST(Broadcast, ViewsRepeatTheirElements) {
  std::vector<std::byte> block(64);
  View view{block.data(), DType::kInt8, {3, 1}, {5, 1}};
  View wide = broadcast_to(view, {2, 3, 4});
  EXPECT_EQ(wide.strides, Dims({0, 5, 0}));
  EXPECT_EQ(addresses(wide)[4 + 2], block.data() + 5);
  EXPECT_EQ(message_of(ErrorKind::kValue,
                       [&] {
                         broadcast_to(View{block.data(), DType::kInt8, {3}, {1}}, {4});
                       }),
            "operands could not be broadcast together with remapped shapes [original->remapped]: (3,)  and requested shape (4,)");
  EXPECT_EQ(message_of(ErrorKind::kValue, [&] { broadcast_to(view, {3}); }),
            "input operand has more dimensions than allowed by the axis remapping");
  EXPECT_EQ(message_of(ErrorKind::kValue, [&] { broadcast_to(view, {}); }), "cannot broadcast a non-scalar to a scalar array");
}

// ---- transposing and reshaping

TEST(Transpose, RefusesWhatIsNoPermutation) {
  std::vector<std::byte> block(64);
  View view{block.data(), DType::kInt8, {2, 3}, {3, 1}};
  EXPECT_EQ(transpose(view, {-1, 0}).shape, Dims({3, 2}));
  EXPECT_EQ(message_of(ErrorKind::kValue, [&] { transpose(view, {0}); }), "axes don't match array");
  EXPECT_EQ(message_of(ErrorKind::kValue, [&] { transpose(view, {0, 0}); }), "repeated axis in transpose");
  EXPECT_EQ(message_of(ErrorKind::kAxis, [&] { transpose(view, {0, 5}); }), "axis 5 is out of bounds for array of dimension 2");
}

// A random shape with `size` elements, extents of 1 strewn in.
Dims random_shape(std::mt19937& random, int64_t size) {
  Dims shape;
  while (size > 1) {
    if (pick(random, 0, 3) == 0) shape.push_back(1);
    int64_t extent = pick(random, 2, size);
    while (size % extent != 0) --extent;
    shape.push_back(extent);
    size /= extent;
  }
  if (shape.empty() || pick(random, 0, 2) == 0) shape.push_back(1);
  return shape;
}

// Strides that visit `wanted` in the given order, found without cleverness: neighbours give the strides, all elements check them.
bool find_strides(const std::vector<const std::byte*>& wanted, const Dims& shape, bool fortran, Dims* strides) {
  View guess{const_cast<std::byte*>(wanted[0]), DType::kInt32, shape, Dims(shape.size())};
  int64_t step = 1;
  for (int k = 0; k < shape.size(); ++k) {
    int axis = fortran ? k : shape.size() - 1 - k;
    if (shape[axis] > 1) guess.strides[axis] = wanted[static_cast<size_t>(step)] - wanted[0];
    step *= shape[axis];
  }
  *strides = guess.strides;
  return addresses(guess, fortran) == wanted;
}

TEST(Reshape, GivesAViewExactlyWhenOneExists) {
  std::mt19937 random(4);
  std::vector<std::byte> block(4096);
  int views = 0;
  int copies = 0;
  for (int i = 0; i < 20000; ++i) {
    View view = random_view(random, block, DType::kInt32);
    Dims shape = random_shape(random, view.size());
    bool fortran = pick(random, 0, 1);
    Dims expected;
    bool exists = find_strides(addresses(view, fortran), shape, fortran, &expected);
    View result;
    ASSERT_EQ(try_reshape(view, shape, fortran, &result), exists) << shape_text(view.shape) << shape_text(shape);
    (exists ? views : copies) += 1;
    if (!exists) continue;
    EXPECT_EQ(result.data, view.data);
    for (int axis = 0; axis < shape.size(); ++axis)
      if (shape[axis] > 1) {
        EXPECT_EQ(result.strides[axis], expected[axis]);
      }
  }
  EXPECT_GT(views, 1000);
  EXPECT_GT(copies, 1000);
}

TEST(Reshape, RefusesAnotherSizeWithSizeAndShape) {
  View view{nullptr, DType::kInt8, {2, 3}, {3, 1}};
  View result;
  EXPECT_EQ(message_of(ErrorKind::kValue,
                       [&] {
                         try_reshape(view, {4, 2}, false, &result);
                       }),
            "cannot reshape array of size 6 into shape (4,2)");
}

}  // namespace
}  // namespace manycore
