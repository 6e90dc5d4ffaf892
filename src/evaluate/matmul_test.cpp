// Shapes, stacks, outputs and errors of matmul and dot, with whole numbers, whose products are exact whatever the routine.
// Bits against NumPy's own BLAS are compared in tests/python.
#include "evaluate/matmul.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>

#include "base/hooks.h"
#include "base/options.h"
#include "trace/counters.h"

namespace manycore::evaluate {
namespace {

Array numbers(const Dims& shape, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<double> values;
  int64_t size = checked_size(shape, 8);
  for (int64_t i = 0; i < size; ++i) values.push_back(static_cast<double>(random() % 19) - 9);
  return Array::from<double>(values, shape);
}

double at(const View& view, std::initializer_list<int64_t> index) {
  const std::byte* data = view.data;
  int axis = 0;
  for (int64_t i : index) data += i * view.strides[axis++];
  return *reinterpret_cast<const double*>(data);
}

template <class F>
std::string message_of(F call) {
  try {
    call();
  } catch (const UserError& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

TEST(Matmul, MultipliesWhatTheDefinitionSays) {
  Array a = numbers({5, 7}, 1), b = numbers({7, 4}, 2);
  for (const Array& c : {matmul(a.view(), b.view()), dot(a.view(), b.view())}) {
    ASSERT_EQ(c.shape(), Dims({5, 4}));
    for (int64_t i = 0; i < 5; ++i) {
      for (int64_t j = 0; j < 4; ++j) {
        double sum = 0;
        for (int64_t k = 0; k < 7; ++k) sum += at(a.view(), {i, k}) * at(b.view(), {k, j});
        EXPECT_EQ(at(c.view(), {i, j}), sum);
      }
    }
  }
}

TEST(Matmul, LayoutsDoNotChangeTheProduct) {
  Array a = numbers({6, 6}, 3), b = numbers({6, 6}, 4);
  Array expected = matmul(a.view(), b.view());
  Array a_by_column = a.copy(Order::kF), b_by_column = b.copy(Order::kF);
  for (const Array* x : {&a, &a_by_column})
    for (const Array* y : {&b, &b_by_column})
      for (const Array& c : {matmul(x->view(), y->view()), dot(x->view(), y->view())})
        for (int64_t i = 0; i < 6; ++i)
          for (int64_t j = 0; j < 6; ++j) EXPECT_EQ(at(c.view(), {i, j}), at(expected.view(), {i, j}));
}

TEST(Matmul, StacksBroadcastAndVectorsLoseTheirAxis) {
  Array a = numbers({3, 1, 2, 4}, 5), b = numbers({5, 4, 3}, 6);
  Array c = matmul(a.view(), b.view());
  ASSERT_EQ(c.shape(), Dims({3, 5, 2, 3}));
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t j = 0; j < 5; ++j) {
      View left = slice(slice(a.view(), 0, i, 1, 1), 1, 0, 1, 1);
      View right = slice(b.view(), 0, j, 1, 1);
      Array one = matmul(left, right);
      for (int64_t m = 0; m < 2; ++m)
        for (int64_t n = 0; n < 3; ++n) EXPECT_EQ(at(c.view(), {i, j, m, n}), at(one.view(), {0, 0, m, n}));
    }
  }
  Array vector = numbers({4}, 7);
  EXPECT_EQ(matmul(vector.view(), vector.view()).shape(), Dims());
  EXPECT_EQ(matmul(a.view(), vector.view()).shape(), Dims({3, 1, 2}));
  EXPECT_EQ(matmul(vector.view(), b.view()).shape(), Dims({5, 3}));
  EXPECT_EQ(dot(a.view(), numbers({2, 4, 5}, 8).view()).shape(), Dims({3, 1, 2, 2, 5}));
}

TEST(Matmul, EmptySumsAreZero) {
  Array c = matmul(numbers({2, 0}, 1).view(), numbers({0, 3}, 1).view());
  EXPECT_EQ(c.shape(), Dims({2, 3}));
  for (double value : c.elements<double>()) EXPECT_EQ(value, 0);
  EXPECT_EQ(matmul(numbers({0, 2}, 1).view(), numbers({2, 3}, 1).view()).shape(), Dims({0, 3}));
}

TEST(Matmul, AnOutputThatOverlapsAnInputGetsTheProductOfTheOldValues) {
  Array a = numbers({8, 8}, 9);
  Array expected = matmul(a.view(), a.view());
  ElementwiseOptions options;
  options.outputs[0] = &a;
  EXPECT_EQ(matmul(a.view(), a.view(), options).data(), a.data());
  for (int64_t i = 0; i < 64; ++i)
    EXPECT_EQ(a.elements<double>()[static_cast<size_t>(i)], expected.elements<double>()[static_cast<size_t>(i)]);
}

TEST(Matmul, ErrorsAreNumpysWords) {
  Array a = numbers({2, 3}, 1), b = numbers({4, 5}, 1);
  EXPECT_EQ(message_of([&] { matmul(a.view(), b.view()); }),
            "matmul: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature (n?,k),(k,m?)->(n?,m?) (size "
            "4 is different from 3)");
  EXPECT_EQ(message_of([&] { matmul(numbers({}, 1).view(), b.view()); }),
            "matmul: Input operand 0 does not have enough dimensions (has 0, gufunc core with signature (n?,k),(k,m?)->(n?,m?) "
            "requires 1)");
  EXPECT_EQ(message_of([&] {
              matmul(numbers({2, 2, 3}, 1).view(), numbers({3, 3, 5}, 1).view());
            }),
            "operands could not be broadcast together with remapped shapes [original->remapped]: (2,2,3)->(2,newaxis,newaxis) "
            "(3,3,5)->(3,newaxis,newaxis)  and requested shape (2,5)");
  EXPECT_EQ(message_of([&] { dot(a.view(), b.view()); }), "shapes (2,3) and (4,5) not aligned: 3 (dim 1) != 4 (dim 0)");
  Array wrong = numbers({3, 4}, 1), right = numbers({3, 4}, 1);
  ElementwiseOptions options;
  options.outputs[0] = &wrong;
  EXPECT_EQ(message_of([&] { matmul(a.view(), right.view(), options); }),
            "matmul: Output operand 0 has a mismatch in its core dimension 0, with gufunc signature (n?,k),(k,m?)->(n?,m?) (size "
            "3 is different from 2)");
  EXPECT_EQ(message_of([&] { dot(a.view(), right.view(), options); }), "output array has wrong dimensions");
}

TEST(Matmul, ConditionsAndBytesAreReported) {
  std::vector<double> huge(16, 1e200);
  Array a = Array::from<double>(huge, {4, 4});
  unsigned status = 0;
  ElementwiseOptions options;
  options.status = &status;
  trace::Totals before = trace::totals();
  matmul(a.view(), a.view(), options);
  EXPECT_EQ(status & (kOverflow | kInvalid), static_cast<unsigned>(kOverflow));
  EXPECT_EQ(trace::totals().native_bytes - before.native_bytes, 3 * 16 * 8);
}

std::atomic<int> asked{0};

TEST(Matmul, LongProductsAskOftenWhetherToGoOn) {
  const Array a = numbers({1024, 512}, 11).astype(DType::kInt64);
  base::set_option("threads", "1");
  for (const Dims& shape : {Dims{1024, 512}, Dims{8, 65536}, Dims{65536, 8}}) {
    const Array left = a.reshape(shape), right = left.transpose();
    base::hooks().interrupted = [] { return ++asked < 0; };
    asked = 0;
    const Array product =
        shape[0] > 1024 ? matmul(left.slice(0, 0, 4096).view(), right.view()) : matmul(left.view(), right.view());
    base::hooks().interrupted = nullptr;
    const int64_t work = product.size() * shape[1];
    EXPECT_GE(asked, work >> 27) << "after four pieces of 2**25 products at the latest";
  }
  base::set_option("threads", "0");
}

// Pieces end everywhere: at full tiles, and where rows or columns or both run out.
TEST(Matmul, CutProductsAreWhole) {
  std::mt19937 random(12);
  for (DType dtype : {DType::kInt64, DType::kInt16, DType::kUInt8, DType::kBool, DType::kFloat16}) {
    for (auto [rows, inner, columns] :
         {std::array{700, 130, 333}, {3, 900, 1777}, {1777, 900, 3}, {1, 4000, 500}, {500, 4000, 1}}) {
      const Array a = numbers({rows, inner}, random()).astype(dtype), b = numbers({inner, columns}, random()).astype(dtype);
      base::set_option("threads", "64");
      const Array cut = matmul(a.view(), b.view());
      base::set_option("threads", "1");
      for (int line : {0, rows / 2, rows - 1}) {
        const Array one = matmul(a.slice(0, line, line + 1).view(), b.view());  // too little to be cut
        EXPECT_EQ(std::memcmp(one.data(), cut.slice(0, line, line + 1).copy().data(), static_cast<size_t>(one.nbytes())), 0)
            << name_of(dtype) << " " << rows << " " << inner << " " << columns << " " << line;
      }
    }
  }
  base::set_option("threads", "0");
}

TEST(Matmul, ThreadsDoNotChangeTheBitsOfThePlainLoop) {
  std::vector<float> values;
  std::mt19937 random(10);
  for (int i = 0; i < 300 * 300; ++i) values.push_back(std::normal_distribution<float>()(random));
  Array a = Array::from<float>(values, {300, 300}).astype(DType::kFloat16);
  base::set_option("threads", "1");
  Array one = matmul(a.view(), a.view());
  base::set_option("threads", "3");
  Array three = matmul(a.view(), a.view());
  base::set_option("threads", "0");
  EXPECT_EQ(std::memcmp(one.data(), three.data(), static_cast<size_t>(one.nbytes())), 0);
}

}  // namespace
}  // namespace manycore::evaluate
