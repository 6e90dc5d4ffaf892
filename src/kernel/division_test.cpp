// Division of integers and of floating point numbers on every SIMD level, in vectors and with one divisor, against the definition.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernel/dispatch.h"
#include "kernel/float_status.h"
#include "kernel/loops.h"

namespace manycore::kernel {
namespace {

using op::Op;

template <class T>
struct Answers {
  T quotient, remainder, truncated;
};

template <class T>
Answers<T> reference(T x, T y) {
  if (y == 0) return {0, 0, 0};
  using U = std::make_unsigned_t<T>;
  if constexpr (std::is_signed_v<T>) {
    if (y == -1) return {T(U(0) - U(x)), 0, 0};
  }
  const T truncated = T(x % y);
  const bool moves = truncated != 0 && (truncated < 0) != (y < 0);
  return {T(x / y - moves), T(truncated + (moves ? y : 0)), truncated};
}

// NumPy's npy_divmod, as its sources state it.
Answers<double> reference(double x, double y) {
  const double mod = std::fmod(x, y);
  if (y == 0) return {x / y, mod, mod};
  double remainder = mod, quotient = (x - mod) / y;
  if (mod != 0) {
    if ((y < 0) != (mod < 0)) {
      remainder += y;
      quotient -= 1;
    }
  } else {
    remainder = std::copysign(0.0, y);
  }
  if (quotient == 0) return {std::copysign(0.0, x / y), remainder, mod};
  double floored = std::floor(quotient);
  if (std::isgreater(quotient - floored, 0.5)) floored += 1;
  return {floored, remainder, mod};
}

bool same(double a, double b) { return (a == b && std::signbit(a) == std::signbit(b)) || (std::isnan(a) && std::isnan(b)); }
template <class T>
bool same(T a, T b) {
  return a == b;
}

template <class T>
std::vector<T> run(Op operation, DType dtype, const std::vector<T>& x, const std::vector<T>& y, int output = 0) {
  std::vector<T> out[2] = {std::vector<T>(x.size()), std::vector<T>(x.size())};
  char* args[4] = {const_cast<char*>(reinterpret_cast<const char*>(x.data())),
                   const_cast<char*>(reinterpret_cast<const char*>(y.data())), reinterpret_cast<char*>(out[0].data()),
                   reinterpret_cast<char*>(out[1].data())};
  const auto n = static_cast<int64_t>(x.size());
  const int64_t size = sizeof(T), steps[4] = {size, y.size() == 1 ? 0 : size, size, size};
  const Loop& loop = find_loop(operation, dtype);
  loop.run(args, &n, steps, loop.data);
  return out[output];
}

// y has as many elements as x, or one.
template <class T>
void check(DType dtype, const std::vector<T>& x, const std::vector<T>& y) {
  const std::vector<T> quotient = run(Op::floor_divide, dtype, x, y), remainder = run(Op::remainder, dtype, x, y),
                       truncated = run(Op::fmod, dtype, x, y), both = run(Op::divmod, dtype, x, y),
                       rest = run(Op::divmod, dtype, x, y, 1);
  for (size_t i = 0; i < x.size(); ++i) {
    const T divisor = y[y.size() == 1 ? 0 : i];
    const Answers<T> expected = reference(x[i], divisor);
    const bool right = same(quotient[i], expected.quotient) && same(remainder[i], expected.remainder) &&
                       same(truncated[i], expected.truncated) && same(both[i], expected.quotient) &&
                       same(rest[i], expected.remainder);
    ASSERT_TRUE(right) << simd_level() << " " << name_of(dtype) << ": " << +x[i] << " by " << +divisor << " gave " << +quotient[i]
                       << ", " << +remainder[i] << ", " << +truncated[i] << "; " << +both[i] << ", " << +rest[i];
  }
}

template <class F>
void on_every_level(const F& body) {
  for (const char* level : simd_levels()) {
    ASSERT_TRUE(set_simd_level(level));
    body();
  }
  ASSERT_TRUE(set_simd_level("auto"));
}

// All pairs of the values, in one array and with one divisor for each of them.
template <class T>
void check_pairs(DType dtype, const std::vector<T>& values) {
  std::vector<T> x, y;
  for (T divisor : values) {
    check(dtype, values, {divisor});
    x.insert(x.end(), values.begin(), values.end());
    y.insert(y.end(), values.size(), divisor);
  }
  check(dtype, x, y);
}

template <class T>
std::vector<T> boundaries() {
  std::vector<T> values = {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
  std::mt19937_64 random(17);
  for (unsigned bit = 0; bit < 8 * sizeof(T); ++bit) {
    for (int near = -1; near <= 1; ++near) {
      values.push_back(T((uint64_t{1} << bit) + uint64_t(near)));
      values.push_back(T(0 - (uint64_t{1} << bit) + uint64_t(near)));
    }
    values.push_back(T(random() >> (63 - bit % 64)));
  }
  return values;
}

TEST(Division, of_eight_bit_integers_is_right_for_all_pairs_on_every_level) {
  on_every_level([] {
    std::vector<int8_t> whole;
    std::vector<uint8_t> natural;
    for (int value = 0; value < 256; ++value) {
      whole.push_back(int8_t(value));
      natural.push_back(uint8_t(value));
    }
    check_pairs(DType::kInt8, whole);
    check_pairs(DType::kUInt8, natural);
  });
}

TEST(Division, of_wider_integers_is_right_around_powers_of_two_on_every_level) {
  on_every_level([] {
    check_pairs(DType::kInt16, boundaries<int16_t>());
    check_pairs(DType::kUInt16, boundaries<uint16_t>());
    check_pairs(DType::kInt32, boundaries<int32_t>());
    check_pairs(DType::kUInt32, boundaries<uint32_t>());
    check_pairs(DType::kInt64, boundaries<int64_t>());
    check_pairs(DType::kUInt64, boundaries<uint64_t>());
  });
}

// Blocks whose elements all lie within 2^50 take another way than the others; multiples and their neighbours are the hard cases.
TEST(Division, of_integers_below_2_to_the_50_is_right_next_to_multiples_on_every_level) {
  on_every_level([] {
    std::mt19937_64 random(23);
    for (int round = 0; round < 200; ++round) {
      std::vector<int64_t> x(96), y(96);
      for (size_t i = 0; i < x.size(); ++i) {
        const int64_t divisor = int64_t(random() >> (15 + random() % 48)) | 1, most = ((int64_t{1} << 50) - 2) / divisor;
        const int64_t multiple = divisor * (int64_t(random() >> 1) % (most + 1)) + int64_t(random() % 3) - 1;
        x[i] = random() & 1 ? multiple : -multiple;
        y[i] = random() & 1 ? divisor : -divisor;
      }
      check(DType::kInt64, x, y);
      for (size_t i = 0; i < x.size(); i += 12) {
        std::vector<int64_t> multiples;
        for (size_t k = 0; k < x.size(); ++k) {
          multiples.push_back(y[i] * (x[k] % (((int64_t{1} << 50) - 2) / std::abs(y[i]) + 1)) + int64_t(k % 3) - 1);
        }
        check(DType::kInt64, multiples, {y[i]});
      }
    }
  });
}

TEST(Division, of_floats_is_numpys_for_pairs_of_edge_values_on_every_level) {
  const double infinity = std::numeric_limits<double>::infinity();
  std::vector<double> values = {0.0, infinity, std::nan(""), 0x1p-1074, 0x1.8p-1070, 0x1p-1022, 0x1.fffffffffffffp-1023};
  for (double value : {1.0, 2.0, 3.0, 0.1, 0.3, 0.7, 1.5, 10.0, 1e16, 1e300, 0x1.fffffffffffffp1023, 5e-309})
    values.push_back(value);
  for (int bit : {20, 21, 23, 24, 49, 50, 51, 52, 53, 63}) {
    for (double near : {-1.0, 0.0, 1.0, 0.5}) values.push_back(std::ldexp(1.0, bit) + near);
    values.push_back(std::ldexp(3.0, bit));
  }
  const size_t count = values.size();
  for (size_t i = 0; i < count; ++i) values.push_back(-values[i]);
  on_every_level([&] { check_pairs(DType::kFloat64, values); });
}

TEST(Division, of_random_floats_is_numpys_on_every_level) {
  on_every_level([] {
    std::mt19937_64 random(29);
    std::vector<double> x(50000), y(50000);
    for (size_t i = 0; i < x.size(); ++i) {
      const double divisor = std::ldexp(double(int64_t(random())), -int(random() % 90)),
                   whole = std::ldexp(double(int64_t(random())), -int(random() % 64));
      // A third next to multiples, where a rounded quotient may reach the next integer.
      x[i] = random() % 3 ? whole * divisor : std::nextafter(std::floor(whole) * divisor, random() & 1 ? 1e308 : -1e308);
      y[i] = divisor;
    }
    check(DType::kFloat64, x, y);
  });
}

TEST(Division, of_ordinary_floats_raises_no_condition) {
  on_every_level([] {
    std::vector<double> x, y;
    for (int i = 0; i < 1000; ++i) {
      x.push_back((i - 500) * 0.37);
      y.push_back((i % 7 - 3.5) * 0.11);
    }
    for (Op operation : {Op::floor_divide, Op::remainder, Op::fmod, Op::divmod}) {
      clear_status();
      run(operation, DType::kFloat64, x, y);
      EXPECT_EQ(read_status(), 0u) << simd_level();
    }
  });
}

}  // namespace
}  // namespace manycore::kernel
