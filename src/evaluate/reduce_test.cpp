// Reductions over whole arrays: equal bits for every thread count and SIMD level, against plain loops over any axes, and errors.
// The comparison with NumPy itself is tests/python/test_reductions.py.
#include "evaluate/reduce.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "base/options.h"
#include "kernel/dispatch.h"

namespace manycore::evaluate {
namespace {

Array random_array(const Dims& shape, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  Array array = Array::empty(shape, DType::kFloat64);
  for (double& value : array.elements<double>()) value = normal(generator);
  return array;
}

bool same_bits(const Array& a, const Array& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), static_cast<size_t>(a.nbytes())) == 0;
}

class Threads {
 public:
  explicit Threads(int count) { base::set_option("threads", std::to_string(count)); }
  ~Threads() { base::set_option("threads", "0"); }
};

ReduceOptions over(const Dims& axes) {
  ReduceOptions options;
  options.axes = axes;
  return options;
}

// Long runs, many rows, few results, many results, gathered runs.
TEST(Reduce, BitsAreEqualForEveryThreadCountAndLevel) {
  const Dims shapes[] = {{3000017}, {1000, 3001}, {300001, 10}, {5, 600011}, {200000, 2, 8}, {70, 80, 300}};
  for (const Dims& shape : shapes) {
    const Array whole = random_array(shape, 7);
    const Array cut = whole.slice(shape.size() - 1, std::nullopt, shape.back() - 1);
    for (const Array& array : {whole, cut, whole.transpose()}) {
      for (const ReduceOptions& options : {ReduceOptions(), over({0}), over({array.ndim() - 1})}) {
        Array sum, variances, largest;
        {
          Threads one(1);
          sum = reduce(Reduction::kSum, array.view(), options);
          variances = variance(array.view(), 1, false, options);
          largest = reduce(Reduction::kArgmax, array.view(), options);
        }
        for (int threads : {2, 7}) {
          Threads several(threads);
          EXPECT_TRUE(same_bits(sum, reduce(Reduction::kSum, array.view(), options))) << threads;
          EXPECT_TRUE(same_bits(variances, variance(array.view(), 1, false, options))) << threads;
          EXPECT_TRUE(same_bits(largest, reduce(Reduction::kArgmax, array.view(), options))) << threads;
        }
        for (const char* level : kernel::simd_levels()) {
          kernel::set_simd_level(level);
          EXPECT_TRUE(same_bits(sum, reduce(Reduction::kSum, array.view(), options))) << level;
        }
        kernel::set_simd_level("auto");
      }
    }
  }
}

TEST(Reduce, AnyAxesOfAnyLayoutAreReduced) {
  Array numbers = Array::empty({3, 4, 5, 6}, DType::kInt64);
  for (int64_t i = 0; i < numbers.size(); ++i) numbers.elements<int64_t>()[i] = i * 37 % 101;
  const int64_t* data = numbers.elements<int64_t>().data();
  for (int mask = 0; mask < 16; ++mask) {
    Dims axes, kept;
    for (int axis = 0; axis < 4; ++axis) (mask >> axis & 1 ? axes : kept).push_back(axis);
    const Array sum = reduce(Reduction::kSum, numbers.view(), over(axes));
    const Array least = reduce(Reduction::kMin, numbers.view(), over(axes));
    Array sums = Array::zeros(sum.shape(), DType::kInt64), leasts = sums.copy();
    for (int64_t& value : leasts.elements<int64_t>()) value = 1000;
    for (int64_t i = 0; i < numbers.size(); ++i) {
      const int64_t index[] = {i / 120, i / 30 % 4, i / 6 % 5, i % 6};
      int64_t place = 0;
      for (int64_t axis : kept) place = place * numbers.shape()[static_cast<int>(axis)] + index[axis];
      sums.elements<int64_t>()[static_cast<size_t>(place)] += data[i];
      int64_t& value = leasts.elements<int64_t>()[static_cast<size_t>(place)];
      value = std::min(value, data[i]);
    }
    EXPECT_TRUE(same_bits(sum, sums)) << mask;
    EXPECT_TRUE(same_bits(least, leasts)) << mask;
  }
}

TEST(Reduce, RunningSumsFollowTheAxisInEveryLayout) {
  const Array numbers = random_array({40, 30, 20}, 3);
  for (int axis = 0; axis < 3; ++axis) {
    const Array running = accumulate(Reduction::kSum, numbers.transpose({2, 0, 1}).view(), axis);
    for (int64_t length : {1, 7, 20}) {
      // The last of the first `length` running sums is their sum, added one after the other.
      const Array head = numbers.transpose({2, 0, 1}).slice(axis, 0, length);
      const Array last = running.slice(axis, length - 1, length).copy();
      Array expected = Array::zeros(last.shape(), DType::kFloat64);
      for (int64_t i = 0; i < length; ++i) {
        const Array row = head.slice(axis, i, i + 1).copy();
        for (int64_t j = 0; j < row.size(); ++j) {
          double& sum = expected.elements<double>()[static_cast<size_t>(j)];
          sum = i == 0 ? row.elements<double>()[static_cast<size_t>(j)] : sum + row.elements<double>()[static_cast<size_t>(j)];
        }
      }
      EXPECT_TRUE(same_bits(last, expected)) << axis << " " << length;
    }
  }
}

template <class F>
std::string message_of(F&& call) {
  try {
    call();
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(Reduce, ErrorsAreNumPys) {
  const Array empty = Array::zeros({0, 3}, DType::kFloat64), full = Array::zeros({2, 3}, DType::kFloat64);
  EXPECT_EQ(message_of([&] { reduce(Reduction::kMax, empty.view(), over({0})); }),
            "zero-size array to reduction operation maximum which has no identity");
  EXPECT_EQ(message_of([&] { reduce(Reduction::kArgmin, empty.view()); }), "attempt to get argmin of an empty sequence");
  EXPECT_EQ(message_of([&] { reduce(Reduction::kSum, full.view(), over({2})); }),
            "axis 2 is out of bounds for array of dimension 2");
  EXPECT_EQ(message_of([&] { reduce(Reduction::kSum, full.view(), over({0, -2})); }), "duplicate value in 'axis'");
  ReduceOptions wrong = over({1});
  const Array target = Array::zeros({3}, DType::kFloat64);
  wrong.output = &target;
  EXPECT_EQ(message_of([&] { reduce(Reduction::kSum, full.view(), wrong); }),
            "operands could not be broadcast together with remapped shapes [original->remapped]: (3,)->(3,newaxis) (2,3) ");
}

TEST(Reduce, SumsReportTheFloatingPointConditionsOfEveryThread) {
  Array values = random_array({2000000}, 5);
  values.elements<double>()[1900000] = 1e308;
  values.elements<double>()[1900001] = 1e308;
  unsigned status = 0;
  ReduceOptions options;
  options.status = &status;
  Threads several(7);
  reduce(Reduction::kSum, values.slice(0, 0, 1000000).view(), options);
  EXPECT_EQ(status, 0u);
  values.elements<double>()[1900008] = 1e308;  // the accumulator of 1900000 already holds 1e308
  reduce(Reduction::kSum, values.view(), options);
  EXPECT_EQ(status, static_cast<unsigned>(kOverflow));
}

}  // namespace
}  // namespace manycore::evaluate
