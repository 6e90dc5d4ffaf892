#include "kernel/loops.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernel/dispatch.h"
#include "kernel/float_status.h"
#include "op/resolve.h"
#include "type/half.h"

namespace manycore::kernel {
namespace {

using op::Op;

// Bytes for `count` elements of a dtype at `step`, filled with values that are ordinary for it and some that are not.
std::vector<char> random_elements(std::mt19937& random, DType dtype, int64_t count, int64_t step) {
  std::vector<char> bytes(static_cast<size_t>((count + 1) * step + 16), 0);
  std::normal_distribution<double> normal(0, 40);
  for (int64_t i = 0; i < count; ++i) {
    const double value = random() % 8 == 0 ? double(int(random() % 3) - 1) : normal(random);
    char* from = const_cast<char*>(reinterpret_cast<const char*>(&value));
    char* args[2] = {from, bytes.data() + i * step};
    const int64_t one = 1, steps[2] = {8, step};
    find_cast(DType::kFloat64, dtype)(args, &one, steps, nullptr);
  }
  return bytes;
}

// Runs a loop at given steps (0 for a broadcast operand) and returns the packed results.
std::vector<char> run(const Loop& loop, const op::Signature& s, int inputs, int outputs, int64_t n, const int64_t* stretch,
                      unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::vector<char>> memory;
  char* args[5];
  int64_t steps[5];
  for (int k = 0; k < inputs; ++k) {
    const int64_t item = item_size(s.inputs[k]);
    // The same values whatever the layout: generate packed, then spread.
    std::vector<char> packed = random_elements(random, s.inputs[k], n, item);
    steps[k] = item * stretch[k];
    std::vector<char> spread(static_cast<size_t>((n + 1) * std::max<int64_t>(item, std::abs(steps[k])) + 16), 0);
    for (int64_t i = 0; i < n; ++i) {
      const int64_t place = steps[k] >= 0 ? i * steps[k] : (n - 1 - i) * -steps[k];
      std::memcpy(spread.data() + place, packed.data() + (steps[k] == 0 ? 0 : i) * item, static_cast<size_t>(item));
    }
    memory.push_back(std::move(spread));
    args[k] = memory.back().data() + (steps[k] < 0 ? (n - 1) * -steps[k] : 0);
  }
  for (int j = 0; j < outputs; ++j) {
    const int64_t item = item_size(s.outputs[j]);
    steps[inputs + j] = item * std::abs(stretch[inputs + j]);
    memory.emplace_back(static_cast<size_t>((n + 1) * steps[inputs + j] + 16), 0);
    args[inputs + j] = memory.back().data();
  }
  loop.run(args, &n, steps, loop.data);
  std::vector<char> packed;
  for (int j = 0; j < outputs; ++j) {
    const int64_t item = item_size(s.outputs[j]);
    for (int64_t i = 0; i < n; ++i) {
      packed.insert(packed.end(), args[inputs + j] + i * steps[inputs + j], args[inputs + j] + i * steps[inputs + j] + item);
    }
  }
  return packed;
}

template <class F>
void for_every_loop(const F& body) {
  for (int i = 0; i < op::kOpCount; ++i) {
    const Op operation = static_cast<Op>(i);
    const op::OpInfo& info = op::info(operation);
    for (int d = 0; d < kDTypeCount; ++d) {
      const DType dtype = static_cast<DType>(d);
      std::vector<op::OperandType> types(static_cast<size_t>(info.inputs), op::OperandType{dtype});
      if (operation == Op::ldexp) types[1].dtype = DType::kInt64;
      op::Signature signature;
      if (!op::find_signature(operation, types, &signature) || signature.slot != d) continue;
      body(operation, info, signature);
    }
  }
}

TEST(Loops, every_operation_has_a_loop_for_every_dtype_it_resolves_to) {
  int loops = 0;
  for_every_loop([&](Op operation, const op::OpInfo& info, const op::Signature& s) {
    EXPECT_NE(find_loop(operation, s.slot).run, nullptr) << info.name << " " << name_of(s.inputs[0]);
    ++loops;
  });
  EXPECT_GT(loops, 600);
}

TEST(Loops, results_depend_neither_on_layout_nor_on_the_length_of_the_run) {
  for (const char* level : simd_levels()) {
    ASSERT_TRUE(set_simd_level(level));
    for_every_loop([&](Op operation, const op::OpInfo& info, const op::Signature& s) {
      const Loop& loop = find_loop(operation, s.slot);
      const int64_t packed[5] = {1, 1, 1, 1, 1};
      const std::vector<char> whole = run(loop, s, info.inputs, info.outputs, 301, packed, 7);
      const int64_t layouts[][5] = {{2, 1, 1, 1, 1}, {1, 3, 2, 1, 2}, {-1, 1, -2, 1, 1}, {2, 2, 2, 2, 2}};
      for (const auto& layout : layouts) {
        EXPECT_EQ(run(loop, s, info.inputs, info.outputs, 301, layout, 7), whole)
            << level << " " << info.name << " " << name_of(s.inputs[0]);
      }
      if (info.outputs != 1 || info.inputs != 1) return;
      for (int64_t n : {1, 2, 7, 15, 33, 64, 65, 130}) {
        const std::vector<char> part = run(loop, s, 1, 1, n, packed, 7);
        EXPECT_EQ(std::memcmp(part.data(), whole.data(), part.size()), 0)
            << level << " " << info.name << " " << name_of(s.inputs[0]) << " " << n;
      }
    });
  }
  ASSERT_TRUE(set_simd_level("auto"));
}

// Mathematical functions are SLEEF's, which rounds differently per vector width, and complex products are fused where they can be.
bool same_on_all_levels(const op::OpInfo& info, const op::Signature& s) {
  return std::string_view(info.accuracy) == "bits" ||
         (std::string_view(info.accuracy).starts_with("bits") && !is_complex(s.inputs[0]));
}

TEST(Loops, operations_that_promise_bits_have_them_on_every_simd_level) {
  std::vector<std::vector<char>> expected;
  for (const char* level : simd_levels()) {
    ASSERT_TRUE(set_simd_level(level));
    size_t next = 0;
    for_every_loop([&](Op operation, const op::OpInfo& info, const op::Signature& s) {
      if (!same_on_all_levels(info, s)) return;
      const int64_t packed[5] = {1, 1, 1, 1, 1};
      std::vector<char> got = run(find_loop(operation, s.slot), s, info.inputs, info.outputs, 257, packed, 11);
      if (expected.size() == next) expected.push_back(got);
      EXPECT_EQ(got, expected[next]) << level << " " << info.name << " " << name_of(s.inputs[0]);
      ++next;
    });
    EXPECT_GT(next, 400u);
  }
  ASSERT_TRUE(set_simd_level("auto"));
}

template <class T>
T binary(Op operation, DType dtype, T x, T y) {
  T result{};
  char* args[3] = {reinterpret_cast<char*>(&x), reinterpret_cast<char*>(&y), reinterpret_cast<char*>(&result)};
  const int64_t one = 1, steps[3] = {sizeof(T), sizeof(T), sizeof(T)};
  const Loop& loop = find_loop(operation, dtype);
  loop.run(args, &one, steps, loop.data);
  return result;
}

TEST(Loops, eight_bit_division_equals_pythons_definition_for_all_pairs) {
  for (int x = -128; x < 128; ++x) {
    for (int y = -128; y < 128; ++y) {
      const auto q = static_cast<int8_t>(y == 0 ? 0 : std::floor(double(x) / y));
      const auto r = static_cast<int8_t>(y == 0 ? 0 : x - std::floor(double(x) / y) * y);
      ASSERT_EQ(binary<int8_t>(Op::floor_divide, DType::kInt8, int8_t(x), int8_t(y)), q) << x << " " << y;
      ASSERT_EQ(binary<int8_t>(Op::remainder, DType::kInt8, int8_t(x), int8_t(y)), r) << x << " " << y;
      ASSERT_EQ(binary<int8_t>(Op::fmod, DType::kInt8, int8_t(x), int8_t(y)), static_cast<int8_t>(y == 0 ? 0 : x % y));
    }
  }
}

TEST(Loops, sixty_four_bit_division_is_exact_around_powers_of_two_on_every_level) {
  std::vector<int64_t> values = {
      0, 1, -1, 2, 3, -3, 7, 10, std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()};
  std::mt19937_64 random(3);
  for (int bit = 1; bit < 63; ++bit) {
    for (int64_t near : {-1, 0, 1}) values.push_back((int64_t{1} << bit) + near);
    values.push_back(-(int64_t{1} << bit) + int64_t(random() % 3) - 1);
    values.push_back(static_cast<int64_t>(random()) >> (random() % 63));
  }
  for (const char* level : simd_levels()) {
    ASSERT_TRUE(set_simd_level(level));
    for (int64_t y : values) {
      if (y == 0 || y == -1) continue;
      std::vector<int64_t> q(values.size()), u(values.size());
      char* args[3] = {reinterpret_cast<char*>(values.data()), reinterpret_cast<char*>(&y), reinterpret_cast<char*>(q.data())};
      const auto n = static_cast<int64_t>(values.size());
      const int64_t steps[3] = {8, 0, 8};
      find_loop(Op::floor_divide, DType::kInt64).run(args, &n, steps, nullptr);
      args[2] = reinterpret_cast<char*>(u.data());
      find_loop(Op::floor_divide, DType::kUInt64).run(args, &n, steps, nullptr);
      for (size_t i = 0; i < values.size(); ++i) {
        int64_t expected = values[i] / y;
        if (values[i] % y != 0 && (values[i] < 0) != (y < 0)) --expected;
        ASSERT_EQ(q[i], expected) << level << " " << values[i] << " // " << y;
        ASSERT_EQ(uint64_t(u[i]), uint64_t(values[i]) / uint64_t(y))
            << level << " " << uint64_t(values[i]) << " // " << uint64_t(y);
      }
    }
  }
  ASSERT_TRUE(set_simd_level("auto"));
}

TEST(Loops, division_by_zero_and_overflow_of_integers_are_reported_and_nothing_else) {
  clear_status();
  EXPECT_EQ(binary<int32_t>(Op::floor_divide, DType::kInt32, 7, 0), 0);
  EXPECT_EQ(read_status(), kDivideByZeroBit);
  clear_status();
  EXPECT_EQ(binary<int32_t>(Op::floor_divide, DType::kInt32, std::numeric_limits<int32_t>::min(), -1),
            std::numeric_limits<int32_t>::min());
  EXPECT_EQ(read_status(), kOverflowBit);
  clear_status();
  EXPECT_EQ(binary<int64_t>(Op::remainder, DType::kInt64, std::numeric_limits<int64_t>::min(), -1), 0);
  EXPECT_EQ(binary<uint8_t>(Op::floor_divide, DType::kUInt8, 255, 7), 36);
  EXPECT_EQ(read_status(), 0u);
}

TEST(Loops, shifts_by_the_width_or_more_push_every_bit_out) {
  EXPECT_EQ(binary<int8_t>(Op::left_shift, DType::kInt8, 1, 8), 0);
  EXPECT_EQ(binary<int8_t>(Op::right_shift, DType::kInt8, -100, 8), -1);
  EXPECT_EQ(binary<int64_t>(Op::left_shift, DType::kInt64, 5, -1), 0);
  EXPECT_EQ(binary<uint64_t>(Op::right_shift, DType::kUInt64, ~uint64_t{0}, 64), 0u);
}

TEST(Loops, maxima_propagate_nan_and_fmax_does_not) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(binary(Op::maximum, DType::kFloat64, nan, 1.0)));
  EXPECT_TRUE(std::isnan(binary(Op::minimum, DType::kFloat64, 1.0, nan)));
  EXPECT_EQ(binary(Op::fmax, DType::kFloat64, nan, 1.0), 1.0);
  EXPECT_EQ(binary(Op::fmin, DType::kFloat64, 1.0, nan), 1.0);
}

TEST(Loops, float_remainders_equal_the_exact_definition) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 20000; ++i) {
    const double x = std::ldexp(double(int64_t(random())), int(random() % 60) - 70),
                 y = std::ldexp(double(int64_t(random())), int(random() % 60) - 80);
    if (y == 0) continue;
    double expected = std::fmod(x, y);
    if (expected != 0 && (expected < 0) != (y < 0)) expected += y;
    ASSERT_EQ(binary(Op::remainder, DType::kFloat64, x, y), expected == 0 ? std::copysign(0.0, y) : expected) << x << " % " << y;
  }
}

TEST(Loops, float64_to_float16_rounds_once) {
  // 1 + 2^-11 + 2^-40 lies above the tie, which rounding to float32 first would hide.
  double x = 1.0 + 0x1p-11 + 0x1p-40;
  Half half{};
  char* args[2] = {reinterpret_cast<char*>(&x), reinterpret_cast<char*>(&half)};
  const int64_t one = 1, steps[2] = {8, 2};
  find_cast(DType::kFloat64, DType::kFloat16)(args, &one, steps, nullptr);
  EXPECT_EQ(half_to_float(half), 1.0f + 0x1p-10f);
}

TEST(Loops, mathematics_is_within_its_bound_of_the_c_library_and_reports_poles) {
  struct Case {
    Op op;
    double (*reference)(double);
  };
  const Case cases[] = {{Op::exp, std::exp},     {Op::log, std::log},       {Op::sin, std::sin},     {Op::cos, std::cos},
                        {Op::tan, std::tan},     {Op::tanh, std::tanh},     {Op::cbrt, std::cbrt},   {Op::log1p, std::log1p},
                        {Op::expm1, std::expm1}, {Op::arcsinh, std::asinh}, {Op::arctan, std::atan}, {Op::exp2, std::exp2}};
  std::mt19937_64 random(9);
  std::vector<double> x(1000), r(1000);
  for (double& value : x) value = std::ldexp(1 + double(random() % 1000) / 1000, int(random() % 12) - 6);
  x[0] = 1e300;  // beyond where some vector functions overflow early
  for (const Case& c : cases) {
    const Loop& loop = find_loop(c.op, DType::kFloat64);
    char* args[2] = {reinterpret_cast<char*>(x.data()), reinterpret_cast<char*>(r.data())};
    const int64_t n = 1000, steps[2] = {8, 8};
    loop.run(args, &n, steps, loop.data);
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = c.reference(x[i]);
      if (std::isinf(expected)) {
        EXPECT_EQ(r[i], expected) << op::info(c.op).name;
        continue;
      }
      EXPECT_NEAR(r[i], expected, 4 * std::fabs(std::nextafter(expected, INFINITY) - expected))
          << op::info(c.op).name << " " << x[i];
    }
  }
  double zero = 0, result = 0;
  char* args[2] = {reinterpret_cast<char*>(&zero), reinterpret_cast<char*>(&result)};
  const int64_t one = 1, steps[2] = {8, 8};
  const Loop& log = find_loop(Op::log, DType::kFloat64);
  clear_status_all();
  log.run(args, &one, steps, log.data);
  EXPECT_EQ(result, -INFINITY);
  EXPECT_EQ(read_status_all() & log.errors, kDivideByZeroBit);
}

}  // namespace
}  // namespace manycore::kernel
