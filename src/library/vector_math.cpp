// SLEEF for float32 and float64. Its functions leave arbitrary conditions in the floating point status (log(0) raises invalid), so
// the loops restore it and raise what IEEE 754 says from the values. Some overflow early (asinh above 1e154): a result that is not
// finite for a finite argument is computed again by the C library. Tails go through the same vector routine.
#include "library/vector_math.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernel/float_status.h"
#include "kernel/targets.h"
#include "library/complex_math.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "library/vector_math.cpp"
#include "hwy/foreach_target.h"
#include "kernel/loops-inl.h"

#ifndef MANYCORE_POLES
#define MANYCORE_POLES
namespace manycore::library {
// Where a function of finite x is infinite: a division by zero, anywhere else an overflow.
enum class Pole { kNone, kZero, kMinusOne, kUnit };
}  // namespace manycore::library
#endif

HWY_BEFORE_NAMESPACE();
namespace manycore::kernel::HWY_NAMESPACE {

using library::Pole;

#undef MANYCORE_SLEEF
#undef MANYCORE_SLEEF_F
#undef MANYCORE_SLEEF_UNARY
#undef MANYCORE_SLEEF_BINARY
#if defined(__x86_64__) && HWY_TARGET <= HWY_AVX3
#define MANYCORE_SLEEF(name, accuracy) Sleef_##name##d8_##accuracy##avx512f
#define MANYCORE_SLEEF_F(name, accuracy) Sleef_##name##f16_##accuracy##avx512f
constexpr int kVectorBytes = 64;
#elif defined(__x86_64__) && HWY_TARGET <= HWY_AVX2
#define MANYCORE_SLEEF(name, accuracy) Sleef_##name##d4_##accuracy##avx2
#define MANYCORE_SLEEF_F(name, accuracy) Sleef_##name##f8_##accuracy##avx2
constexpr int kVectorBytes = 32;
#elif defined(__x86_64__)
#define MANYCORE_SLEEF(name, accuracy) Sleef_##name##d2_##accuracy##sse4
#define MANYCORE_SLEEF_F(name, accuracy) Sleef_##name##f4_##accuracy##sse4
constexpr int kVectorBytes = 16;
#else
#define MANYCORE_SLEEF(name, accuracy) Sleef_##name##d2_##accuracy##advsimd
#define MANYCORE_SLEEF_F(name, accuracy) Sleef_##name##f4_##accuracy##advsimd
constexpr int kVectorBytes = 16;
#endif

typedef double Doubles __attribute__((vector_size(kVectorBytes)));
typedef float Singles __attribute__((vector_size(kVectorBytes)));
template <class T>
using Vector = std::conditional_t<std::is_same_v<T, double>, Doubles, Singles>;
template <class T>
inline constexpr int kLanes = kVectorBytes / sizeof(T);

// sleef.h declares only what the command line's target has, so the prototypes stand here.
#define MANYCORE_SLEEF_UNARY(name, accuracy)                                            \
  extern "C" Doubles MANYCORE_SLEEF(name, accuracy)(Doubles);                           \
  extern "C" Singles MANYCORE_SLEEF_F(name, accuracy)(Singles);                         \
  struct Sleef_##name {                                                                 \
    Doubles operator()(Doubles x) const { return MANYCORE_SLEEF(name, accuracy)(x); }   \
    Singles operator()(Singles x) const { return MANYCORE_SLEEF_F(name, accuracy)(x); } \
    template <class T>                                                                  \
    static T scalar(T x) {                                                              \
      return std::name(x);                                                              \
    }                                                                                   \
  };
#define MANYCORE_SLEEF_BINARY(name, accuracy)                                                         \
  extern "C" Doubles MANYCORE_SLEEF(name, accuracy)(Doubles, Doubles);                                \
  extern "C" Singles MANYCORE_SLEEF_F(name, accuracy)(Singles, Singles);                              \
  struct Sleef_##name {                                                                               \
    Doubles operator()(Doubles x, Doubles y) const { return MANYCORE_SLEEF(name, accuracy)(x, y); }   \
    Singles operator()(Singles x, Singles y) const { return MANYCORE_SLEEF_F(name, accuracy)(x, y); } \
    template <class T>                                                                                \
    static T scalar(T x, T y) {                                                                       \
      return std::name(x, y);                                                                         \
    }                                                                                                 \
  };
MANYCORE_SLEEF_UNARY(sin, u10)
MANYCORE_SLEEF_UNARY(cos, u10)
MANYCORE_SLEEF_UNARY(tan, u10)
MANYCORE_SLEEF_UNARY(asin, u10)
MANYCORE_SLEEF_UNARY(acos, u10)
MANYCORE_SLEEF_UNARY(atan, u10)
MANYCORE_SLEEF_UNARY(sinh, u10)
MANYCORE_SLEEF_UNARY(cosh, u10)
MANYCORE_SLEEF_UNARY(tanh, u10)
MANYCORE_SLEEF_UNARY(asinh, u10)
MANYCORE_SLEEF_UNARY(acosh, u10)
MANYCORE_SLEEF_UNARY(atanh, u10)
MANYCORE_SLEEF_UNARY(exp, u10)
MANYCORE_SLEEF_UNARY(exp2, u10)
MANYCORE_SLEEF_UNARY(expm1, u10)
MANYCORE_SLEEF_UNARY(log, u10)
MANYCORE_SLEEF_UNARY(log2, u10)
MANYCORE_SLEEF_UNARY(log10, u10)
MANYCORE_SLEEF_UNARY(log1p, u10)
MANYCORE_SLEEF_UNARY(cbrt, u10)
MANYCORE_SLEEF_BINARY(pow, u10)
MANYCORE_SLEEF_BINARY(atan2, u10)
MANYCORE_SLEEF_BINARY(hypot, u05)

constexpr int kBlock = 256;

template <class T>
HWY_INLINE Vector<T> load(const T* p) {
  Vector<T> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

// Elements [0, n) of a strided run as full vectors: itself when contiguous, else a copy padded with ones.
template <class T>
static const T* gathered(const char* p, int64_t step, int64_t n, T* buffer) {
  if (step == sizeof(T) && n % kLanes<T> == 0) return reinterpret_cast<const T*>(p);
  for (int64_t i = 0; i < n; ++i) buffer[i] = at<T>(p + i * step);
  for (int64_t i = n; i % kLanes<T> != 0; ++i) buffer[i] = 1;
  return buffer;
}

template <class T>
bool ordinary(const T* results, int64_t n, bool underflows) {
  constexpr T kLargest = std::numeric_limits<T>::max(), kSmallest = std::numeric_limits<T>::min();
  int odd = 0;
  for (int64_t i = 0; i < n; ++i) {
    const T size = std::fabs(results[i]);
    odd |= (!(size <= kLargest)) | (underflows & (size < kSmallest));
  }
  return odd == 0;
}

template <class T>
unsigned condition_of(T x, T r, Pole pole, bool underflows) {
  if (r != r) return x != x ? 0 : kInvalidBit;
  if (!std::isfinite(x)) return 0;
  if (std::isinf(r)) {
    const bool at_pole =
        (pole == Pole::kZero && x == 0) || (pole == Pole::kMinusOne && x == -1) || (pole == Pole::kUnit && std::fabs(x) == 1);
    return at_pole ? kDivideByZeroBit : kOverflowBit;
  }
  return underflows && std::fabs(r) < std::numeric_limits<T>::min() ? kUnderflowBit : 0;
}

template <class T, class F, Pole kPole, bool kUnderflows>
void math_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  const char* a = args[0];
  char* r = args[1];
  unsigned met = 0;
  {
    const QuietScope quiet;
    alignas(64) T inputs[kBlock], results[kBlock];
    for (int64_t begin = 0; begin < dims[0]; begin += kBlock) {
      const int64_t n = std::min<int64_t>(kBlock, dims[0] - begin);
      const T* x = gathered<T>(a, steps[0], n, inputs);
      for (int64_t i = 0; i < n; i += kLanes<T>) {
        const Vector<T> v = F{}(load(x + i));
        std::memcpy(results + i, &v, sizeof v);
      }
      if (!ordinary(results, n, kUnderflows)) {
        for (int64_t i = 0; i < n; ++i) {
          if (!std::isfinite(results[i]) && std::isfinite(x[i])) results[i] = F::scalar(x[i]);
          met |= condition_of(x[i], results[i], kPole, kUnderflows);
        }
      }
      if (steps[1] == sizeof(T)) {
        std::memcpy(r, results, n * sizeof(T));
      } else {
        for (int64_t i = 0; i < n; ++i) at<T>(r + i * steps[1]) = results[i];
      }
      a += n * steps[0];
      r += n * steps[1];
    }
  }
  if (met) raise_status(met);
}

struct PowerConditions {
  template <class T>
  static unsigned of(T x, T y, T r) {
    if (r != r) return x != x || y != y ? 0 : kInvalidBit;
    if (x == 0 && std::isinf(r)) return kDivideByZeroBit;
    if (!std::isfinite(x) || !std::isfinite(y)) return 0;
    if (std::isinf(r)) return kOverflowBit;
    return x != 0 && std::fabs(r) < std::numeric_limits<T>::min() ? kUnderflowBit : 0;
  }
};
struct PlainConditions {
  template <class T>
  static unsigned of(T x, T y, T r) {
    if (r != r) return x != x || y != y ? 0 : kInvalidBit;
    return std::isinf(r) && std::isfinite(x) && std::isfinite(y) ? kOverflowBit : 0;
  }
};

template <class T, class F, class Conditions>
void math_loop2(char** args, const int64_t* dims, const int64_t* steps, void*) {
  const char *a = args[0], *b = args[1];
  char* r = args[2];
  unsigned met = 0;
  {
    const QuietScope quiet;
    alignas(64) T left[kBlock], right[kBlock], results[kBlock];
    for (int64_t begin = 0; begin < dims[0]; begin += kBlock) {
      const int64_t n = std::min<int64_t>(kBlock, dims[0] - begin);
      const T* x = gathered<T>(a, steps[0], n, left);
      const T* y = gathered<T>(b, steps[1], n, right);
      for (int64_t i = 0; i < n; i += kLanes<T>) {
        const Vector<T> v = F{}(load(x + i), load(y + i));
        std::memcpy(results + i, &v, sizeof v);
      }
      if (!ordinary(results, n, true)) {
        for (int64_t i = 0; i < n; ++i) {
          if (!std::isfinite(results[i]) && std::isfinite(x[i]) && std::isfinite(y[i])) results[i] = F::scalar(x[i], y[i]);
          met |= Conditions::of(x[i], y[i], results[i]);
        }
      }
      for (int64_t i = 0; i < n; ++i) at<T>(r + i * steps[2]) = results[i];
      a += n * steps[0];
      b += n * steps[1];
      r += n * steps[2];
    }
  }
  if (met) raise_status(met);
}

template <class F, Pole kPole = Pole::kNone, bool kUnderflows = false>
void math(Builder& b, op::Op op) {
  b.set(op, slot_of<float>, &math_loop<float, F, kPole, kUnderflows>);
  b.set(op, slot_of<double>, &math_loop<double, F, kPole, kUnderflows>);
}
template <class F, class Conditions>
void math2(Builder& b, op::Op op) {
  b.set(op, slot_of<float>, &math_loop2<float, F, Conditions>);
  b.set(op, slot_of<double>, &math_loop2<double, F, Conditions>);
}

// log(exp(x) + exp(y)) without overflow, and the same to base 2.
template <class T>
T log_add_exp(T x, T y) {
  if (x == y) return x + T(0.693147180559945309417232121458176568);
  const T gap = x - y;
  if (gap > 0) return x + std::log1p(std::exp(-gap));
  return gap <= 0 ? y + std::log1p(std::exp(gap)) : gap;
}
template <class T>
T log_add_exp2(T x, T y) {
  constexpr T kLog2E = T(1.442695040888963407359924681001892137);
  if (x == y) return x + 1;
  const T gap = x - y;
  if (gap > 0) return x + kLog2E * std::log1p(std::exp2(-gap));
  return gap <= 0 ? y + kLog2E * std::log1p(std::exp2(gap)) : gap;
}

void mathematics(Builder& b) {
  using op::Op;
  b.cost(Cost::kTranscendental);
  math<Sleef_sin>(b, Op::sin);
  math<Sleef_cos>(b, Op::cos);
  math<Sleef_tan>(b, Op::tan);
  math<Sleef_asin>(b, Op::arcsin);
  math<Sleef_acos>(b, Op::arccos);
  math<Sleef_atan>(b, Op::arctan);
  math<Sleef_sinh>(b, Op::sinh);
  math<Sleef_cosh>(b, Op::cosh);
  math<Sleef_tanh>(b, Op::tanh);
  math<Sleef_asinh>(b, Op::arcsinh);
  math<Sleef_acosh>(b, Op::arccosh);
  math<Sleef_atanh, Pole::kUnit>(b, Op::arctanh);
  math<Sleef_exp, Pole::kNone, true>(b, Op::exp);
  math<Sleef_exp2, Pole::kNone, true>(b, Op::exp2);
  math<Sleef_expm1>(b, Op::expm1);
  math<Sleef_log, Pole::kZero>(b, Op::log);
  math<Sleef_log2, Pole::kZero>(b, Op::log2);
  math<Sleef_log10, Pole::kZero>(b, Op::log10);
  math<Sleef_log1p, Pole::kMinusOne>(b, Op::log1p);
  math<Sleef_cbrt>(b, Op::cbrt);
  math2<Sleef_pow, PowerConditions>(b, Op::power);
  math2<Sleef_pow, PowerConditions>(b, Op::float_power);
  math2<Sleef_atan2, PlainConditions>(b, Op::arctan2);
  math2<Sleef_hypot, PlainConditions>(b, Op::hypot);
  map2(b, Op::logaddexp, Floats{}, [](auto x, auto y) { return log_add_exp(x, y); });
  map2(b, Op::logaddexp2, Floats{}, [](auto x, auto y) { return log_add_exp2(x, y); });
}

}  // namespace manycore::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(mathematics);
}  // namespace manycore::kernel

namespace manycore::library {
namespace {

void fill(kernel::Builder& builder) {
  using namespace kernel;
  HWY_DYNAMIC_DISPATCH(mathematics)(builder);
  fill_complex_mathematics(builder);
  for (op::Op op : {op::Op::logaddexp, op::Op::logaddexp2}) {
    for (DType dtype : {DType::kFloat32, DType::kFloat64}) builder.library_calls(op, static_cast<int>(dtype));
  }
}

// Runs when the engine is loaded, before anything can ask for a loop.
const bool filled = [] {
  kernel::detail::fill_mathematics = &fill;
  return true;
}();

}  // namespace

void set_math_loop(op::Op operation, DType dtype, kernel::LoopFn loop, void* data) {
  kernel::Loop replaced = kernel::find_loop(operation, dtype);
  replaced.run = loop;
  replaced.data = data;
  replaced.errors = static_cast<uint8_t>(op::info(operation).errors);
  replaced.scalar_unit = true;
  kernel::set_loop(operation, static_cast<int>(dtype), replaced);
}

}  // namespace manycore::library
#endif
