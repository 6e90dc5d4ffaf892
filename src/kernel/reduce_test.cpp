// Inner loops of reductions at every SIMD level: the pairwise sum against its definition written as a recursion over one element
// at a time, everything else against a plain loop.
#include "kernel/reduce.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernel/arg_reduce.h"
#include "kernel/dispatch.h"
#include "kernel/scan.h"
#include "type/half.h"

namespace manycore::kernel {
namespace {

// Runs `body` at every level of this machine.
template <class F>
void at_every_level(F&& body) {
  for (const char* level : simd_levels()) {
    ASSERT_TRUE(set_simd_level(level));
    SCOPED_TRACE(level);
    body();
  }
  set_simd_level("auto");
}

// The definition: 8 accumulators over at most 128 numbers, joined in pairs; halves rounded down to multiples of 8.
template <class T>
T defined_sum(const std::vector<T>& x, size_t first, size_t n) {
  if (n < 8) {
    T sum = T(-0.0);
    for (size_t i = 0; i < n; ++i) sum += x[first + i];
    return sum;
  }
  if (n <= 128) {
    T r[8];
    for (size_t k = 0; k < 8; ++k) r[k] = x[first + k];
    size_t i = 8;
    for (; i < n - n % 8; i += 8) {
      for (size_t k = 0; k < 8; ++k) r[k] += x[first + i + k];
    }
    T sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; ++i) sum += x[first + i];
    return sum;
  }
  size_t left = n / 2;
  left -= left % 8;
  return defined_sum(x, first, left) + defined_sum(x, first + left, n - left);
}

template <class T>
std::vector<T> numbers(size_t n, unsigned seed = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  std::vector<T> x(n);
  for (T& value : x) value = static_cast<T>(normal(generator));
  return x;
}

const size_t kLengths[] = {0, 1, 7, 8, 9, 15, 16, 127, 128, 129, 136, 255, 257, 1000, 4099, 40001};

template <class T>
void expect_defined_sums(DType dtype) {
  for (size_t n : kLengths) {
    for (int64_t step : {1, 2, 3}) {
      const std::vector<T> spread = numbers<T>(n * static_cast<size_t>(step) + 1);
      std::vector<T> x(n);
      for (size_t i = 0; i < n; ++i) x[i] = spread[i * static_cast<size_t>(step)];
      T got = T(7);
      const int64_t stride = step * static_cast<int64_t>(sizeof(T));
      find_pairwise_sum(dtype)(reinterpret_cast<std::byte*>(&got), reinterpret_cast<const std::byte*>(spread.data()), stride,
                               static_cast<int64_t>(n));
      ASSERT_EQ(got, defined_sum(x, 0, n)) << "length " << n << " step " << step;
    }
  }
}

TEST(Reduce, SumsAddInTheDefinedPairwiseOrderAtEveryLevel) {
  at_every_level([] {
    expect_defined_sums<float>(DType::kFloat32);
    expect_defined_sums<double>(DType::kFloat64);
  });
}

TEST(Reduce, Float16SumsAddInFloat32) {
  at_every_level([] {
    for (size_t n : kLengths) {
      const std::vector<float> values = numbers<float>(n);
      std::vector<Half> halves(n);
      std::vector<float> rounded(n);
      for (size_t i = 0; i < n; ++i) rounded[i] = half_to_float(halves[i] = float_to_half(values[i]));
      float got = 0;
      find_pairwise_sum(DType::kFloat16)(reinterpret_cast<std::byte*>(&got), reinterpret_cast<const std::byte*>(halves.data()),
                                         sizeof(Half), static_cast<int64_t>(n));
      ASSERT_EQ(got, defined_sum(rounded, 0, n));
    }
  });
}

// The pieces that the callers cut at pairwise_split are subtrees: their sums add up to the whole's.
TEST(Reduce, SplitsCutTheTreeAtItsOwnPlaces) {
  for (DType dtype : {DType::kFloat64, DType::kComplex128}) {
    const int64_t width = dtype == DType::kComplex128 ? 2 : 1, item = width * 8;
    for (int64_t n : {200, 1001, 30011}) {
      const std::vector<double> x = numbers<double>(static_cast<size_t>(n * width));
      const auto* data = reinterpret_cast<const std::byte*>(x.data());
      double whole[2] = {}, left[2] = {}, right[2] = {};
      const int64_t cut = pairwise_split(n, dtype);
      find_pairwise_sum(dtype)(reinterpret_cast<std::byte*>(whole), data, item, n);
      find_pairwise_sum(dtype)(reinterpret_cast<std::byte*>(left), data, item, cut);
      find_pairwise_sum(dtype)(reinterpret_cast<std::byte*>(right), data + cut * item, item, n - cut);
      for (int64_t part = 0; part < width; ++part) EXPECT_EQ(whole[part], left[part] + right[part]);
    }
  }
}

TEST(Reduce, ExtremesGiveTheFirstNaNAndTheirIgnoringKindsPassOverIt) {
  at_every_level([] {
    for (size_t n : {1, 5, 31, 32, 33, 64, 1000}) {
      for (size_t place : {size_t{0}, n / 2, n - 1}) {
        std::vector<double> x = numbers<double>(n);
        const double plain = *std::max_element(x.begin(), x.end());
        double got = x[0];
        const auto fold = [&](Reduction reduction) {
          got = x[0];
          find_reduction(reduction, DType::kFloat64, DType::kFloat64)
              ->run(reinterpret_cast<std::byte*>(&got), reinterpret_cast<const std::byte*>(x.data()), 8, static_cast<int64_t>(n));
          return got;
        };
        ASSERT_EQ(fold(Reduction::kMax), plain);
        x[place] = std::numeric_limits<double>::quiet_NaN();
        ASSERT_TRUE(std::isnan(fold(Reduction::kMax))) << n << " " << place;
        ASSERT_TRUE(std::isnan(fold(Reduction::kMin)));
        ASSERT_EQ(std::isnan(fold(Reduction::kFmax)), n == 1);
        ASSERT_EQ(find_arg(Reduction::kArgmax, DType::kFloat64)
                      .run(reinterpret_cast<const std::byte*>(x.data()), 8, static_cast<int64_t>(n)),
                  static_cast<int64_t>(place));
      }
    }
  });
}

TEST(Reduce, PositionsOfExtremesAreThoseOfTheFirst) {
  at_every_level([] {
    for (size_t n : {1, 63, 64, 2048, 2049, 10000}) {
      std::vector<int32_t> x(n);
      for (size_t i = 0; i < n; ++i) x[i] = static_cast<int32_t>(i * 7919 % 101);  // many equal extremes
      const auto run = [&](Reduction reduction) {
        return find_arg(reduction, DType::kInt32).run(reinterpret_cast<const std::byte*>(x.data()), 4, static_cast<int64_t>(n));
      };
      ASSERT_EQ(run(Reduction::kArgmax), std::max_element(x.begin(), x.end()) - x.begin());
      ASSERT_EQ(run(Reduction::kArgmin), std::min_element(x.begin(), x.end()) - x.begin());
    }
  });
}

TEST(Reduce, SmallIntegersAddIn64Bits) {
  at_every_level([] {
    const std::vector<int8_t> x(100003, -128);
    int64_t sum = 5;
    find_reduction(Reduction::kSum, DType::kInt8, DType::kInt64)
        ->run(reinterpret_cast<std::byte*>(&sum), reinterpret_cast<const std::byte*>(x.data()), 1,
              static_cast<int64_t>(x.size()));
    EXPECT_EQ(sum, 5 - 128 * 100003);
    int64_t trues = 0;
    find_reduction(Reduction::kCountNonzero, DType::kInt8, DType::kInt64)
        ->run(reinterpret_cast<std::byte*>(&trues), reinterpret_cast<const std::byte*>(x.data()), 1,
              static_cast<int64_t>(x.size()));
    EXPECT_EQ(trues, 100003);
  });
}

TEST(Reduce, RunningSumsAddOneAfterTheOther) {
  const std::vector<double> x = numbers<double>(1000);
  std::vector<double> got(x.size());
  double state = 0.5, expected = 0.5;
  find_scan(Reduction::kSum, DType::kFloat64)
      ->run(reinterpret_cast<std::byte*>(&state), reinterpret_cast<std::byte*>(got.data()), 8,
            reinterpret_cast<const std::byte*>(x.data()), 8, static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(got[i], expected += x[i]);
  EXPECT_EQ(state, expected);
}

}  // namespace
}  // namespace manycore::kernel
