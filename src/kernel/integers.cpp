// Integer division and its relatives, shifts, bits, powers, gcd and lcm. x//0 and x%0 are 0 and report a division by zero;
// MIN//-1 is MIN and reports an overflow. Quotients of up to 32 bits go through floating point, which is exact for them and
// vectorises; 64-bit ones take two such steps with AVX-512, the divide instruction elsewhere.
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

// x / y for y != 0 and not MIN / -1, truncated or, for 64 bits, off by one where x / y is next to an integer.
template <class T>
HWY_INLINE T near_quotient(T x, T y) {
  if constexpr (sizeof(T) <= 2) {
    return T(float(x) / float(y));
  } else if constexpr (sizeof(T) == 4) {
    // The correctly rounded quotient cannot reach the next integer: that is 1/y away, more than half a unit of a double.
    return T(double(x) / double(y));
  } else {
#if defined(__x86_64__) && HWY_TARGET <= HWY_AVX3
    // The first quotient leaves a rest of less than |y| + 2^13, which divides within 2^-40. Products wrap, as does 2^63.
    const T first = T(double(x) / double(y));
    const int64_t rest = int64_t(uint64_t(x) - uint64_t(first) * uint64_t(y));
    const T near = T(uint64_t(first) + uint64_t(int64_t(double(rest) / double(y))));
    // A divisor of 2^63 or more can leave a rest that no signed number holds; its quotient is 0 or 1.
    if constexpr (std::is_unsigned_v<T>) return int64_t(y) < 0 ? T(x >= y) : near;
    return near;
#else
    return x / y;
#endif
  }
}

template <class T>
struct Division {
  T quotient, remainder;
};

// Floor division with every special case; branch-free, so that loops over it vectorise.
template <class T>
HWY_INLINE Division<T> divide(T x, T y) {
  using W = Wrapping<T>;
  const bool zero = y == 0;
  if constexpr (std::is_signed_v<T>) {
    const bool negates = y == -1;
    const T safe = zero | negates ? T(1) : y;
    T q = near_quotient<T>(x, safe);
    T r = T(W(x) - W(q) * W(safe));
    const bool borrow = (r != 0) & ((r ^ safe) < 0);
    q = T(W(q) - (borrow ? W(1) : W(0)));
    r = T(W(r) + (borrow ? W(safe) : W(0)));
    q = negates ? T(W(0) - W(x)) : q;
    return {zero ? T(0) : q, zero | negates ? T(0) : r};
  } else {
    const T safe = zero ? T(1) : y;
    T q = near_quotient<T>(x, safe);
    T r = T(W(x) - W(q) * W(safe));
    if constexpr (sizeof(T) == 8) {
      const bool borrow = (int64_t(r) < 0) & (int64_t(safe) >= 0);
      q -= borrow;
      r += borrow ? safe : 0;
    }
    return {zero ? T(0) : q, zero ? T(0) : r};
  }
}

struct FloorQuotient {
  static constexpr bool kOverflows = true;
  template <class T>
  T operator()(T x, T y) const {
    return divide(x, y).quotient;
  }
};
struct FloorRemainder {
  static constexpr bool kOverflows = false;
  template <class T>
  T operator()(T x, T y) const {
    return divide(x, y).remainder;
  }
};
struct TruncatedRemainder {
  static constexpr bool kOverflows = false;
  template <class T>
  T operator()(T x, T y) const {
    const T r = divide(x, y).remainder;
    if constexpr (std::is_unsigned_v<T>) return r;
    return T(Wrapping<T>(r) - ((r != 0) & ((x ^ y) < 0) ? Wrapping<T>(y) : 0));
  }
};

// The conditions that dividing n elements of x by those of y meets. Apart from the division, so that both vectorise.
template <bool kOverflows, class T>
T met_by(const T* x, const T* y, int64_t y_step, int64_t n) {
  T zero = 0, overflow = 0;
  for (int64_t i = 0; i < n; ++i) zero |= T(y[i * y_step] == 0);
  if constexpr (kOverflows && std::is_signed_v<T>) {
    for (int64_t i = 0; i < n; ++i) overflow |= T(T(y[i * y_step] == -1) & T(x[i] == std::numeric_limits<T>::min()));
  }
  return T((zero ? kDivideByZeroBit : 0) | (overflow ? kOverflowBit : 0));
}

template <class F, class T>
T divide_block(const T* x, const T* y, T* z, int64_t n) {
  const T met = met_by<F::kOverflows>(x, y, 1, n);
  MANYCORE_VECTORISE
  for (int64_t i = 0; i < n; ++i) z[i] = F{}(x[i], y[i]);
  return met;
}
template <class F, class T>
T divide_block(const T* x, T y, T* z, int64_t n) {
  T met = y == 0 ? T(kDivideByZeroBit) : T(0);
  bool minus_one = false;
  if constexpr (std::is_signed_v<T>) minus_one = y == -1;
  if (minus_one) met = met_by<F::kOverflows>(x, &y, 0, n);
  if constexpr (std::is_same_v<T, uint8_t> && std::is_same_v<F, FloorQuotient>) {
    // x / y = x * (65536 / y + 1) / 65536: the excess is below 1/256, no quotient is that close below an integer.
    if (y > 1) {
      const auto factor = uint16_t(65536 / y + 1);
      MANYCORE_VECTORISE
      for (int64_t i = 0; i < n; ++i) z[i] = T(uint32_t(x[i]) * factor >> 16);
      return met;
    }
  }
  MANYCORE_VECTORISE
  for (int64_t i = 0; i < n; ++i) z[i] = F{}(x[i], y);
  return met;
}

template <class F, class T>
T division_run(char** args, int64_t n, const int64_t* steps) {
  constexpr int64_t kBlock = 512, kSize = sizeof(T);
  T x[kBlock], y[kBlock], z[kBlock];
  const bool one_divisor = steps[1] == 0;
  T met = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t part = std::min(kBlock, n - begin);
    char* a = args[0] + begin * steps[0];
    char* b = args[1] + begin * steps[1];
    char* r = args[2] + begin * steps[2];
    const T* left = &at<T>(a);
    const T* right = &at<T>(b);
    T* result = steps[2] == kSize ? &at<T>(r) : z;
    if (steps[0] != kSize) {
      for (int64_t i = 0; i < part; ++i) x[i] = at<T>(a + i * steps[0]);
      left = x;
    }
    if (!one_divisor && steps[1] != kSize) {
      for (int64_t i = 0; i < part; ++i) y[i] = at<T>(b + i * steps[1]);
      right = y;
    }
    met |= one_divisor ? divide_block<F>(left, *right, result, part) : divide_block<F>(left, right, result, part);
    if (result == z) {
      for (int64_t i = 0; i < part; ++i) at<T>(r + i * steps[2]) = z[i];
    }
  }
  return met;
}

template <class F, class T>
void division_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  T met;
  {
    const QuietScope quiet;  // the divisions in floating point are no business of the caller's
    met = division_run<F, T>(args, dims[0], steps);
  }
  if (met) raise_status(static_cast<unsigned>(met));
}

template <class T>
void divmod_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  char *a = args[0], *b = args[1], *q = args[2], *r = args[3];
  T met = 0;
  {
    const QuietScope quiet;
    for (int64_t i = 0; i < dims[0]; ++i, a += steps[0], b += steps[1], q += steps[2], r += steps[3]) {
      const T x = at<T>(a), y = at<T>(b);
      const Division<T> both = divide(x, y);
      met |= met_by<true>(&x, &y, 1, 1);
      at<T>(q) = both.quotient;
      at<T>(r) = both.remainder;
    }
  }
  if (met) raise_status(static_cast<unsigned>(met));
}

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
void divisions(Builder& b, Types<T...>) {
  using op::Op;
  (b.set(Op::floor_divide, slot_of<T>, &division_loop<FloorQuotient, T>), ...);
  (b.set(Op::remainder, slot_of<T>, &division_loop<FloorRemainder, T>), ...);
  (b.set(Op::fmod, slot_of<T>, &division_loop<TruncatedRemainder, T>), ...);
  (b.set(Op::divmod, slot_of<T>, &divmod_loop<T>), ...);
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
  b.integer_errors(kDivideByZeroBit | kOverflowBit);
  divisions(b, Integers{});
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
