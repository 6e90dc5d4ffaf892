// Shifts, bits, powers, gcd and lcm of integers. Division: integer_division.cpp.
#include <algorithm>
#include <bit>
#include <limits>

#include "kernel/float_status.h"
#include "kernel/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/integers.cpp"
#include "hwy/foreach_target.h"
#include "kernel/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace manycore::kernel::HWY_NAMESPACE {

template <class T>
HWY_INLINE T power_of(T base, T exponent) {
  using W = Wrapping<T>;
  W result = 1, square = W(base);
  for (std::make_unsigned_t<T> e = exponent; e != 0; e >>= 1) {
    if (e & 1) result *= square;
    square *= square;
  }
  return T(result);
}

// One exponent for the whole run: squarings over a block of elements, each step vectorised.
template <class T>
void power_block(const T* x, int64_t n, std::make_unsigned_t<T> exponent, T* out) {
  using W = Wrapping<T>;
  W result[256], square[256];
  for (int64_t i = 0; i < n; ++i) {
    result[i] = 1;
    square[i] = W(x[i]);
  }
  for (; exponent != 0; exponent >>= 1) {
    if (exponent & 1) {
      for (int64_t i = 0; i < n; ++i) result[i] *= square[i];
    }
    if (exponent == 1) break;
    for (int64_t i = 0; i < n; ++i) square[i] *= square[i];
  }
  for (int64_t i = 0; i < n; ++i) out[i] = T(result[i]);
}

// Magnitudes, so that MIN has one; the result wraps back.
template <class T>
HWY_INLINE std::make_unsigned_t<T> magnitude(T x) {
  return std::make_unsigned_t<T>(x < 0 ? 0 - Wrapping<T>(x) : Wrapping<T>(x));
}
template <class T>
HWY_INLINE T common_divisor(T x, T y) {
  auto a = magnitude(x), b = magnitude(y);
  while (b != 0) {
    // Dividing 32 bits costs half of what 64 do.
    const auto rest =
        sizeof(T) == 8 && (uint64_t(a | b) >> 32) == 0 ? decltype(a)(uint32_t(a) % uint32_t(b)) : decltype(a)(a % b);
    a = b;
    b = rest;
  }
  return T(a);
}
template <class T>
HWY_INLINE T common_multiple(T x, T y) {
  const auto a = magnitude(x), b = magnitude(y);
  const auto divisor = std::make_unsigned_t<T>(common_divisor(x, y));
  return divisor == 0 ? T(0) : T(Wrapping<T>(a / divisor) * b);
}

template <class T>
void power_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  char *a = args[0], *b = args[1], *r = args[2];
  const int64_t n = dims[0];
  if (n > 0 && steps[0] == sizeof(T) && steps[1] == 0 && steps[2] == sizeof(T)) {
    const T exponent = at<T>(b);
    if (exponent == 2) {
      const auto square = [](auto x) { return decltype(x)(Wrapping<decltype(x)>(x) * x); };
      char* pair[2] = {a, r};
      const int64_t pair_steps[2] = {sizeof(T), sizeof(T)};
      return unary_loop<T, T, decltype(square)>(pair, &n, pair_steps, nullptr);
    }
    for (int64_t i = 0; i < n; i += 256) {
      power_block<T>(&at<T>(a) + i, std::min<int64_t>(256, n - i), exponent, &at<T>(r) + i);
    }
    return;
  }
  for (int64_t i = 0; i < n; ++i, a += steps[0], b += steps[1], r += steps[2]) {
    at<T>(r) = power_of(at<T>(a), at<T>(b));
  }
}

template <class... T>
void powers(Builder& b, Types<T...>) {
  (b.set(op::Op::power, slot_of<T>, &power_loop<T>), ...);
}

template <class... T>
void count_bits(Builder& b, Types<T...>) {
  const auto count = [](auto x) { return uint8_t(std::popcount(magnitude(x))); };
  (b.set(op::Op::bitwise_count, slot_of<T>, &unary_loop<uint8_t, T, decltype(count)>), ...);
}

template <class T>
inline constexpr int kBits = 8 * sizeof(T);

void integers(Builder& b) {
  using op::Op;
  map2(b, Op::bitwise_and, Truths{}, [](auto x, auto y) { return Truth(x && y); });
  map2(b, Op::bitwise_or, Truths{}, [](auto x, auto y) { return Truth(x || y); });
  map2(b, Op::bitwise_xor, Truths{}, [](auto x, auto y) { return Truth(bool(x) != bool(y)); });
  map(b, Op::invert, Truths{}, [](auto x) { return Truth(!x); });
  map2_bits(b, Op::bitwise_and, Unsigned{}, [](auto x, auto y) { return decltype(x)(x & y); });
  map2_bits(b, Op::bitwise_or, Unsigned{}, [](auto x, auto y) { return decltype(x)(x | y); });
  map2_bits(b, Op::bitwise_xor, Unsigned{}, [](auto x, auto y) { return decltype(x)(x ^ y); });
  map_bits(b, Op::invert, Unsigned{}, [](auto x) { return decltype(x)(~x); });
  // Shifts by the width or more push every bit out; negative counts are large unsigned ones.
  map2_bits(b, Op::left_shift, Unsigned{}, [](auto x, auto y) {
    using T = decltype(x);
    return T(y < kBits<T> ? Wrapping<T>(x) << (y & (kBits<T> - 1)) : 0);
  });
  map2(b, Op::right_shift, Unsigned{}, [](auto x, auto y) {
    using T = decltype(x);
    return T(y < kBits<T> ? x >> (y & (kBits<T> - 1)) : 0);
  });
  map2(b, Op::right_shift, Signed{}, [](auto x, auto y) {
    using T = decltype(x);
    return T(x >> (std::make_unsigned_t<T>(y) < kBits<T> ? y : kBits<T> - 1));
  });

  b.cost(Cost::kDivision);
  b.integer_errors(kDivideByZeroBit | kInvalidBit);
  map(b, Op::reciprocal, Integers{}, [](auto x) { return truncated<decltype(x)>(1.0 / double(x)); });
  b.integer_errors(0);
  powers(b, Integers{});
  b.cost(Cost::kTranscendental);
  map2(b, Op::gcd, Integers{}, [](auto x, auto y) { return common_divisor(x, y); });
  map2(b, Op::lcm, Integers{}, [](auto x, auto y) { return common_multiple(x, y); });
  count_bits(b, Integers{});
}

}  // namespace manycore::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(integers);
void fill_integers(Builder& builder) { HWY_DYNAMIC_DISPATCH(integers)(builder); }
}  // namespace manycore::kernel
#endif
