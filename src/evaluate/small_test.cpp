#include "evaluate/small.h"

#include <gtest/gtest.h>

#include <complex>
#include <limits>

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
