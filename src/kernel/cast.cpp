// Casts between all dtypes. Floating point to integer truncates; out of range and NaN give what the x86 conversion
// instructions of C compilers give and therefore NumPy: narrow integers take the low bits of a 32-bit conversion, uint32 those of
// a 64-bit one. float64 to float16 rounds once. Complex to real drops the imaginary part.
#include <bit>
#include <cmath>
#include <cstring>

#include "kernel/half.h"
#include "kernel/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/cast.cpp"
#include "hwy/foreach_target.h"
#include "kernel/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace manycore::kernel::HWY_NAMESPACE {

template <class R>
struct To {
  template <class A>
  R operator()(A x) const {
    if constexpr (std::is_same_v<R, Truth>) {
      return Truth(x != A(0));
    } else if constexpr (std::is_floating_point_v<A> && std::is_integral_v<R>) {
      return truncated<R>(x);
    } else {
      return R(x);
    }
  }
  R operator()(Truth x) const { return x.byte != 0 ? R(1) : R(0); }
};
template <class T>
struct To<std::complex<T>> {
  template <class A>
  std::complex<T> operator()(A x) const {
    return {To<T>{}(x), T(0)};
  }
  template <class A>
  std::complex<T> operator()(std::complex<A> x) const {
    return {T(x.real()), T(x.imag())};
  }
};

template <class R>
struct RealTo {
  template <class T>
  R operator()(std::complex<T> x) const {
    if constexpr (std::is_same_v<R, Truth>) return Truth((x.real() != 0) | (x.imag() != 0));
    return To<R>{}(x.real());
  }
};

// float16: blocks go through float32 with the F16C instructions where there are any.
inline void widen(const Half* from, float* to, int64_t n) {
  int64_t i = 0;
#if defined(__x86_64__) && HWY_TARGET <= HWY_AVX2
  for (; i + 8 <= n; i += 8) {
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i))));
  }
#endif
  for (; i < n; ++i) to[i] = half_to_float(from[i]);
}
inline void narrow(const float* from, Half* to, int64_t n) {
  int64_t i = 0;
#if defined(__x86_64__) && HWY_TARGET <= HWY_AVX2
  // The instruction would make a signalling NaN quiet and report it; NumPy keeps the bits.
  const __m256i least = _mm256_set1_epi32(0x7f800000), all = _mm256_set1_epi32(0x7fffffff), quiet = _mm256_set1_epi32(0x7fbfffff);
  for (; i + 8 <= n; i += 8) {
    const __m256 floats = _mm256_loadu_ps(from + i);
    const __m256i magnitude = _mm256_and_si256(_mm256_castps_si256(floats), all);
    const __m256i signalling = _mm256_andnot_si256(_mm256_cmpgt_epi32(magnitude, quiet), _mm256_cmpgt_epi32(magnitude, least));
    if (_mm256_testz_si256(signalling, signalling)) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), _mm256_cvtps_ph(floats, 0));
    } else {
      for (int64_t k = i; k < i + 8; ++k) to[k] = to_half(from[k]);
    }
  }
#endif
  for (; i < n; ++i) to[i] = to_half(from[i]);
}

// Rounds to odd: the second rounding, to float16, then cannot see a tie that was none.
struct ToFloatForHalf {
  template <class A>
  float operator()(A x) const {
    return To<float>{}(x);
  }
  float operator()(double x) const {
    const float near = float(x);
    // Sizes are compared as integers: a floating point comparison would report NaN.
    const int64_t size = __builtin_bit_cast(int64_t, std::fabs(x));
    const int64_t near_size = __builtin_bit_cast(int64_t, std::fabs(double(near)));
    const uint32_t bits = __builtin_bit_cast(uint32_t, near) - (near_size > size ? 1 : 0);
    return __builtin_bit_cast(float, double(near) != x ? bits | 1 : bits);
  }
  template <class A>
  float operator()(std::complex<A> x) const {
    return (*this)(x.real());
  }
};

constexpr int64_t kBlock = 256;

// NumPy widens float16 as bits: a signalling NaN stays one and reports nothing, which no conversion of the processor does. NumPy makes
// such NaN itself, where it narrows.
inline bool is_signalling(Half half) { return (half.bits & 0x7fffu) > 0x7c00u && (half.bits & 0x200u) == 0; }

inline bool any_signalling(const Half* halves, int64_t n) {
  unsigned found = 0;
  for (int64_t i = 0; i < n; ++i) found |= is_signalling(halves[i]) ? 1u : 0u;
  return found != 0;
}

inline void make_quiet(const Half* from, Half* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = Half{static_cast<uint16_t>(from[i].bits | (is_signalling(from[i]) ? 0x200u : 0u))};
}

// What NaN becomes without a report.
template <class R>
inline constexpr bool kTakesNaN = std::is_same_v<R, Truth> || std::is_same_v<R, float> || std::is_same_v<R, double> ||
                                  std::is_same_v<R, std::complex<float>> || std::is_same_v<R, std::complex<double>>;

inline double signalling_double(Half half) {
  const uint64_t payload = static_cast<uint64_t>(half.bits & 0x3ffu) << 42;
  return std::bit_cast<double>(static_cast<uint64_t>(half.bits & 0x8000u) << 48 | 0x7ff0000000000000u | payload);
}

// The elements of a block that has been widened which are signalling NaN, again and as bits.
template <class R>
void keep_signalling(const Half* source, int64_t n, char* results, int64_t step) {
  for (int64_t i = 0; i < n; ++i) {
    if (!is_signalling(source[i])) continue;
    if constexpr (std::is_same_v<R, float> || std::is_same_v<R, std::complex<float>>) {
      const float value = half_to_float(source[i]);
      std::memcpy(results + i * step, &value, sizeof value);
    } else if constexpr (std::is_same_v<R, double> || std::is_same_v<R, std::complex<double>>) {
      const double value = signalling_double(source[i]);
      std::memcpy(results + i * step, &value, sizeof value);
    }
  }
}

template <class R, class F>
void from_half_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  const char* a = args[0];
  char* r = args[1];
  Half halves[kBlock], quiet[kBlock];
  float floats[kBlock];
  for (int64_t begin = 0; begin < dims[0]; begin += kBlock) {
    const int64_t n = std::min(kBlock, dims[0] - begin);
    const Half* source = halves;
    if (steps[0] == sizeof(Half)) {
      source = reinterpret_cast<const Half*>(a);
    } else {
      for (int64_t i = 0; i < n; ++i) halves[i] = at<Half>(a + i * steps[0]);
    }
    // Quiet NaN pass through the conversions in silence; signalling ones are written afterwards.
    const bool signalling = kTakesNaN<R> && any_signalling(source, n);
    if (signalling) make_quiet(source, quiet, n);
    widen(signalling ? quiet : source, floats, n);
    char* inner[2] = {reinterpret_cast<char*>(floats), r};
    const int64_t inner_steps[2] = {sizeof(float), steps[1]};
    unary_loop<R, float, F>(inner, &n, inner_steps, nullptr);
    if (signalling) keep_signalling<R>(source, n, r, steps[1]);
    a += n * steps[0];
    r += n * steps[1];
  }
}

template <class A, class F>
void to_half_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  const char* a = args[0];
  char* r = args[1];
  Half halves[kBlock];
  float floats[kBlock];
  for (int64_t begin = 0; begin < dims[0]; begin += kBlock) {
    const int64_t n = std::min(kBlock, dims[0] - begin);
    char* inner[2] = {const_cast<char*>(a), reinterpret_cast<char*>(floats)};
    const int64_t inner_steps[2] = {steps[0], sizeof(float)};
    unary_loop<float, A, F>(inner, &n, inner_steps, nullptr);
    Half* target = steps[1] == sizeof(Half) ? reinterpret_cast<Half*>(r) : halves;
    narrow(floats, target, n);
    if (target == halves) {
      for (int64_t i = 0; i < n; ++i) at<Half>(r + i * steps[1]) = halves[i];
    }
    a += n * steps[0];
    r += n * steps[1];
  }
}

template <class A, class... R>
void casts_from(Builder& b, Types<R...>) {
  if constexpr (std::is_same_v<A, std::complex<float>> || std::is_same_v<A, std::complex<double>>) {
    (b.set_cast(slot_of<A>, slot_of<R>, &unary_loop<R, A, RealTo<R>>), ...);
  } else {
    (b.set_cast(slot_of<A>, slot_of<R>, &unary_loop<R, A, To<R>>), ...);
  }
  b.set_cast(slot_of<A>, slot_of<std::complex<float>>, &unary_loop<std::complex<float>, A, To<std::complex<float>>>);
  b.set_cast(slot_of<A>, slot_of<std::complex<double>>, &unary_loop<std::complex<double>, A, To<std::complex<double>>>);
  b.set_cast(slot_of<A>, slot_of<Half>, &to_half_loop<A, ToFloatForHalf>);
}

using Reals = Types<Truth, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, float, double>;

template <class... A>
void casts(Builder& b, Types<A...>) {
  (casts_from<A>(b, Reals{}), ...);
  (b.set_cast(slot_of<Half>, slot_of<A>, &from_half_loop<A, To<A>>), ...);
}

struct Same {
  template <class T>
  T operator()(T x) const {
    return x;
  }
};

void cast(Builder& b) {
  casts(b, Types<Truth, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, float, double,
                 std::complex<float>, std::complex<double>>{});
  // Copies keep every bit, NaN payloads and odd bool bytes included.
  b.set_cast(slot_of<Half>, slot_of<Half>, &unary_loop<uint16_t, uint16_t, Same>);
  b.set_cast(slot_of<Truth>, slot_of<Truth>, &unary_loop<uint8_t, uint8_t, Same>);
}

}  // namespace manycore::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(cast);
void fill_casts(Builder& builder) { HWY_DYNAMIC_DISPATCH(cast)(builder); }
}  // namespace manycore::kernel
#endif
