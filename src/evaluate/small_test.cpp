#include "evaluate/small.h"

#include <gtest/gtest.h>

#include <array>
#include <complex>
#include <limits>
#include <vector>

namespace manycore::evaluate {
namespace {

using op::Op;
using Complex = std::complex<double>;

Scalar bare(Complex number) { return Scalar::of(DType::kComplex128, number, Weak::kComplex); }

// What the long way gives is the oracle.
void expect_the_short_way(Op operation, const Array& a, const Scalar& number) {
  const Operand operands[] = {a, number};
  Array result;
  unsigned status = 0;
  ASSERT_TRUE(small_elementwise(operation, operands, nullptr, &result, &status));
  const Array expected = elementwise(operation, operands);
  ASSERT_EQ(result.dtype(), expected.dtype());
  EXPECT_EQ(std::memcmp(result.data(), expected.data(), static_cast<size_t>(expected.nbytes())), 0);
}

TEST(Small, ComplexNumbersMeetComplexArrays) {
  const Complex values[] = {{1, 2}, {-0.0, 3}, {1e300, -1e300}, {std::numeric_limits<double>::infinity(), 0}, {5, 0}};
  const Array a = Array::from<Complex>(values, {5});
  for (const Op operation : {Op::add, Op::subtract, Op::multiply, Op::divide, Op::equal}) {
    expect_the_short_way(operation, a, bare({1.5, 0.5}));
    expect_the_short_way(operation, a, bare({0.0, -0.0}));
    expect_the_short_way(operation, a, Scalar::real(1.5));
  }
}

double value_at(const Array& array, int64_t i) { return *reinterpret_cast<const double*>(array.data() + i * array.strides()[0]); }

TEST(Small, OneDimensionMayHaveAnyStride) {
  std::vector<double> values(64);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 0.1 * static_cast<double>(i) - 2;
  const Array whole = Array::from<double>(values, {64}), stretched = whole.slice(0, 3, 4).broadcast_to({16});
  const Array layouts[] = {whole.slice(0, 0, 64, 4), whole.slice(0, {}, {}, -4), whole.slice(0, 8, 24), stretched};
  for (const Array& a : layouts) {
    for (const Array& b : layouts) {
      for (const Op operation : {Op::subtract, Op::divide, Op::maximum, Op::less}) {
        const Operand operands[] = {a, b};
        Array result;
        unsigned status = 0;
        ASSERT_TRUE(small_elementwise(operation, operands, nullptr, &result, &status));
        const Array expected = elementwise(operation, operands);
        ASSERT_EQ(result.strides(), expected.strides());
        EXPECT_EQ(std::memcmp(result.data(), expected.data(), static_cast<size_t>(expected.nbytes())), 0);
      }
    }
  }
}

TEST(Small, AnInputIsTheOutputOrLiesApart) {
  const double zeros[40] = {};
  const Array whole = Array::from<double>(zeros, {40}),
              ones = elementwise(Op::add, std::array<Operand, 2>{whole, Scalar::real(1)});
  const auto runs = [&](const Array& output, const Array& input) {
    const Operand operands[] = {input, Scalar::real(1)};
    Array result;
    unsigned status = 0;
    return small_elementwise(Op::add, operands, &output, &result, &status);
  };
  const Array even = whole.slice(0, {}, {}, 2), odd = whole.slice(0, 1, {}, 2), back = whole.slice(0, {}, {}, -2);
  EXPECT_TRUE(runs(even, even));
  EXPECT_TRUE(runs(back, back));
  EXPECT_TRUE(runs(even, ones.slice(0, {}, {}, -2)));
  for (int64_t i = 0; i < 20; ++i) EXPECT_EQ(value_at(even, i), 2);
  for (int64_t i = 0; i < 20; ++i) EXPECT_EQ(value_at(odd, i), 1);
  EXPECT_FALSE(runs(even, back));
  EXPECT_FALSE(runs(even, odd));
  EXPECT_FALSE(runs(whole.slice(0, 1, 21), whole.slice(0, 0, 20)));
  EXPECT_FALSE(runs(even, whole.slice(0, 0, 20)));
  EXPECT_FALSE(runs(whole.slice(0, 0, 1).broadcast_to({5}), ones.slice(0, 0, 5)));
}

TEST(Small, NumbersThatRoundingWouldReportAreLeftToTheLongWay) {
  const std::complex<float> values[] = {{1, 2}};
  const Array narrow = Array::from<std::complex<float>>(values, {1});
  const Operand operands[] = {narrow, bare({1e300, 0})};
  Array result;
  unsigned status = 0;
  EXPECT_FALSE(small_elementwise(Op::add, operands, nullptr, &result, &status));
}

}  // namespace
}  // namespace manycore::evaluate
