#include "evaluate/fill_runs.h"

#include <gtest/gtest.h>

#include "evaluate/assign.h"

namespace manycore::evaluate {
namespace {

// What the bytes around a filled view hold before: a value that no test fills with.
constexpr int64_t kUntouched = -77;

Array untouched(const Dims& shape) {
  Array array = Array::empty(shape, DType::kInt64);
  for (int64_t& element : array.elements<int64_t>()) element = kUntouched;
  return array;
}

TEST(Fill, WritesEveryElementOfAViewAndNoOther) {
  // Extents below, at and above the lengths where runs and blocks begin; the last passes the size of the caches' share.
  for (int64_t columns : {int64_t{3}, int64_t{8}, int64_t{9}, int64_t{511}, int64_t{513}, int64_t{40'000}}) {
    for (int64_t value : {int64_t{0}, int64_t{-1}, int64_t{1} << 40}) {
      const Array array = untouched(Dims{5, columns});
      const Array inner = array.slice(0, 1, 4).slice(1, 1, columns - 1);
      fill(inner.view(), Scalar::integer(value));
      const auto elements = array.elements<int64_t>();
      for (int64_t row = 0; row < 5; ++row) {
        for (int64_t column = 0; column < columns; ++column) {
          const bool inside = row >= 1 && row < 4 && column >= 1 && column < columns - 1;
          ASSERT_EQ(elements[static_cast<size_t>(row * columns + column)], inside ? value : kUntouched) << columns;
        }
      }
    }
  }
}

TEST(Fill, WritesOneLongRunOfEveryItemSize) {
  for (DType dtype : {DType::kUInt8, DType::kInt16, DType::kFloat32, DType::kFloat64, DType::kComplex128}) {
    for (int64_t size : {int64_t{5}, int64_t{1000}, int64_t{4099}, int64_t{3'000'001}}) {
      const Array array = Array::empty(Dims{size}, dtype);
      fill(array.view(), Scalar::integer(3));
      const Array wide = array.astype(DType::kInt64);
      for (int64_t element : wide.elements<int64_t>()) ASSERT_EQ(element, 3) << name_of(dtype) << " " << size;
    }
  }
}

}  // namespace
}  // namespace manycore::evaluate
