// Decompositions multiplied out again; bits against numpy.linalg are compared in tests/python. Without a LAPACK there is one
// thing to test: that this is said.
#include "evaluate/linalg.h"

#include <gtest/gtest.h>

#include <random>

#include "evaluate/matmul.h"

namespace manycore::evaluate {
namespace {

Array random_array(const Dims& shape, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<double> values(static_cast<size_t>(checked_size(shape, 8)));
  for (double& value : values) value = std::normal_distribution<double>()(random);
  return Array::from<double>(values, shape);
}

Array transposed(const Array& a) {
  Dims permutation(a.ndim());
  for (int axis = 0; axis < a.ndim(); ++axis) permutation[axis] = axis;
  std::swap(permutation[a.ndim() - 1], permutation[a.ndim() - 2]);
  return a.transpose(permutation);
}

void expect_close(const Array& a, const Array& b) {
  ASSERT_EQ(a.shape(), b.shape());
  Array x = a.copy(), y = b.copy();
  for (int64_t i = 0; i < x.size(); ++i)
    EXPECT_NEAR(x.elements<double>()[static_cast<size_t>(i)], y.elements<double>()[static_cast<size_t>(i)], 1e-11);
}

Array scaled_columns(const Array& a, const Array& factors) {
  Array diagonal = Array::zeros({factors.size(), factors.size()}, DType::kFloat64);
  for (int64_t i = 0; i < factors.size(); ++i)
    diagonal.elements<double>()[static_cast<size_t>(i * (factors.size() + 1))] =
        factors.elements<double>()[static_cast<size_t>(i)];
  return matmul(a.view(), diagonal.view());
}

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

class Linalg : public testing::Test {
 protected:
  void SetUp() override {
    if (has_linalg()) return;
    Array a = random_array({2, 2}, 1);
    EXPECT_NE(message_of(ErrorKind::kNotImplemented, [&] { inv(a.view()); }).find("inv: no LAPACK"), std::string::npos);
    GTEST_SKIP() << "no LAPACK with 64-bit integers on this machine; tests/python run with NumPy's";
  }
};

TEST_F(Linalg, SvdMultipliesOut) {
  for (const Dims& shape : {Dims{6, 4}, Dims{4, 6}, Dims{5, 5}}) {
    Array a = random_array(shape, 2);
    SvdResult result = svd(a.view(), false);
    expect_close(matmul(scaled_columns(result.u, result.s).view(), result.vh.view()), a);
    EXPECT_EQ(svd(a.view(), true).u.shape(), Dims({shape[0], shape[0]}));
    expect_close(svd(a.view(), true, false).s, result.s);
  }
}

TEST_F(Linalg, EigenvectorsMultiplyOut) {
  Array a = random_array({7, 7}, 3);
  Array symmetric = matmul(a.view(), transposed(a).view());
  for (bool upper : {false, true}) {
    EighResult result = eigh(symmetric.view(), upper);
    expect_close(matmul(scaled_columns(result.vectors, result.values).view(), transposed(result.vectors).view()), symmetric);
  }
}

TEST_F(Linalg, SolutionsInversesAndFactorsMultiplyOutInStacks) {
  Array a = random_array({3, 5, 5}, 4), b = random_array({5, 2}, 5);
  expect_close(matmul(a.view(), solve(a.view(), b.view()).view()), b.broadcast_to({3, 5, 2}));
  Array identity = matmul(a.view(), inv(a.view()).view());
  expect_close(matmul(identity.view(), a.view()), a);
  QrResult factors = qr(a.view());
  expect_close(matmul(factors.q.view(), factors.r.view()), a);
  Array positive = matmul(a.view(), transposed(a).view());
  Array lower = cholesky(positive.view());
  expect_close(matmul(lower.view(), transposed(lower).view()), positive);
  Array upper = cholesky(positive.view(), true);
  expect_close(matmul(transposed(upper).view(), upper.view()), positive);
}

TEST_F(Linalg, DeterminantsOfTriangularMatricesAreTheProductOfTheDiagonal) {
  const std::vector<double> values{2, 5, 7, 0, -3, 1, 0, 0, 4};
  Array a = Array::from<double>(values, {3, 3});
  EXPECT_NEAR(det(a.view()).elements<double>()[0], -24, 1e-13);
  EXPECT_EQ(slogdet(a.view()).sign.elements<double>()[0], -1);
  EXPECT_EQ(det(Array::zeros({3, 3}, DType::kFloat64).view()).elements<double>()[0], 0);
}

TEST_F(Linalg, ErrorsAreNumpysWords) {
  Array wide = random_array({2, 3}, 6), vector = random_array({3}, 6);
  EXPECT_EQ(message_of(ErrorKind::kLinearAlgebra, [&] { inv(wide.view()); }), "Last 2 dimensions of the array must be square");
  EXPECT_EQ(message_of(ErrorKind::kLinearAlgebra, [&] { det(vector.view()); }),
            "1-dimensional array given. Array must be at least two-dimensional");
  Array zero = Array::zeros({3, 3}, DType::kFloat64);
  EXPECT_EQ(message_of(ErrorKind::kLinearAlgebra, [&] { solve(zero.view(), vector.view()); }), "Singular matrix");
  EXPECT_EQ(message_of(ErrorKind::kLinearAlgebra, [&] { cholesky(zero.view()); }), "Matrix is not positive definite");
}

}  // namespace
}  // namespace manycore::evaluate
