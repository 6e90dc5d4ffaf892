// Floor division, remainder, fmod and divmod of floating point numbers by NumPy's definition (npy_divmod): the remainder is
// exact and has the divisor's sign. With fused multiply-add a vector of remainders takes one division; elements whose
// quotient passes 2^52, zero divisors, infinities and NaN take the C library's fmod.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernel/float_status.h"
#include "kernel/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/division.cpp"
#include "hwy/foreach_target.h"
#include "kernel/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace manycore::kernel::HWY_NAMESPACE {

inline constexpr int kBlock = 128;

// The part of divmod after fmod, for y != 0. Straight-line: loops over it vectorise. Comparisons are quiet, NaN is no news.
template <class T>
HWY_INLINE T floor_quotient(T x, T y, T mod) {
  T div = (x - mod) / y;
  div = (mod != 0) & (std::signbit(y) != std::signbit(mod)) ? div - 1 : div;
  T floored = std::floor(div);
  floored = std::isgreater(div - floored, T(0.5)) ? floored + 1 : floored;
  return div != 0 ? floored : std::copysign(T(0), x / y);
}
template <class T>
HWY_INLINE T floor_remainder(T y, T mod) {
  const T moved = std::signbit(y) != std::signbit(mod) ? mod + y : mod;
  return mod != 0 ? moved : std::copysign(T(0), y);
}

// Each kernel: from x, y and mod = fmod(x, y), with NumPy's answers for y = 0.
struct FloorDivide {
  template <class T>
  static T finish(T x, T y, T mod) {
    return floor_quotient(x, y, mod);
  }
  template <class T>
  static T scalar(T x, T y) {
    return y == 0 ? x / y : floor_quotient(x, y, std::fmod(x, y));
  }
};
struct Remainder {
  template <class T>
  static T finish(T, T y, T mod) {
    return floor_remainder(y, mod);
  }
  template <class T>
  static T scalar(T x, T y) {
    const T mod = std::fmod(x, y);
    return y == 0 ? mod : floor_remainder(y, mod);
  }
};
struct Fmod {
  template <class T>
  static T finish(T, T, T mod) {
    return mod;
  }
  template <class T>
  static T scalar(T x, T y) {
    return std::fmod(x, y);
  }
};

#if defined(__x86_64__) && HWY_TARGET <= HWY_AVX2
// mods[i] = fmod(x[i], y[i]); false when some element needs the library. The rounded quotient is right or one too large
// (never too small: an integer quotient is exact), so that the fused rest is exact and at most one divisor negative.
template <class T>
bool fast_fmods(const T* x, const T* y, T* mods) {
  const QuietScope quiet;
  int64_t failed = 0;
  for (int i = 0; i < kBlock; ++i) {
    const T ax = std::fabs(x[i]), ay = std::fabs(y[i]);
    const T ratio = ax / ay;
    T rest = std::is_same_v<T, float> ? T(__builtin_fmaf(float(-std::trunc(ratio)), float(ay), float(ax)))
                                      : T(__builtin_fma(double(-std::trunc(ratio)), double(ay), double(ax)));
    rest = rest < 0 ? rest + ay : rest;
    mods[i] = std::copysign(rest, x[i]);
    failed += (ay > std::numeric_limits<T>::max()) | !(ratio < (std::is_same_v<T, float> ? T(1 << 23) : T(int64_t(1) << 52)));
  }
  return failed == 0;
}
#else
template <class T>
bool fast_fmods(const T*, const T*, T*) {
  return false;
}
#endif

template <class F, class T>
void remainder_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  const char *a = args[0], *b = args[1];
  char* r = args[2];
  T x[kBlock], y[kBlock], mods[kBlock];
  int64_t i = 0;
  for (; i + kBlock <= dims[0]; i += kBlock) {
    for (int k = 0; k < kBlock; ++k, a += steps[0], b += steps[1]) {
      x[k] = at<T>(a);
      y[k] = at<T>(b);
    }
    if (fast_fmods(x, y, mods)) {
      for (int k = 0; k < kBlock; ++k) mods[k] = F::finish(x[k], y[k], mods[k]);
    } else {
      for (int k = 0; k < kBlock; ++k) mods[k] = F::scalar(x[k], y[k]);
    }
    for (int k = 0; k < kBlock; ++k, r += steps[2]) at<T>(r) = mods[k];
  }
  for (; i < dims[0]; ++i, a += steps[0], b += steps[1], r += steps[2]) at<T>(r) = F::scalar(at<T>(a), at<T>(b));
}

template <class T>
void divmod_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  const char *a = args[0], *b = args[1];
  char *q = args[2], *r = args[3];
  for (int64_t i = 0; i < dims[0]; ++i, a += steps[0], b += steps[1], q += steps[2], r += steps[3]) {
    const T x = at<T>(a), y = at<T>(b);
    const T mod = std::fmod(x, y);
    at<T>(q) = y == 0 ? x / y : floor_quotient(x, y, mod);
    at<T>(r) = y == 0 ? mod : floor_remainder(y, mod);
  }
}

template <class... T>
void divisions(Builder& b, Types<T...>) {
  using op::Op;
  (b.set(Op::floor_divide, slot_of<T>, &remainder_loop<FloorDivide, T>), ...);
  (b.set(Op::remainder, slot_of<T>, &remainder_loop<Remainder, T>), ...);
  (b.set(Op::fmod, slot_of<T>, &remainder_loop<Fmod, T>), ...);
  (b.set(Op::divmod, slot_of<T>, &divmod_loop<T>), ...);
}

void division(Builder& b) {
  b.cost(Cost::kTranscendental);
  divisions(b, Floats{});
}

}  // namespace manycore::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(division);
void fill_division(Builder& builder) { HWY_DYNAMIC_DISPATCH(division)(builder); }
}  // namespace manycore::kernel
#endif
