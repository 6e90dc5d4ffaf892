#include "library/complex_math.h"

#include <cmath>
#include <complex>

namespace manycore::library {
namespace {

using kernel::Builder;
using kernel::slot_of;
using op::Op;

template <class T, class F>
void unary(char** args, const int64_t* dims, const int64_t* steps, void*) {
  char *a = args[0], *r = args[1];
  for (int64_t i = 0; i < dims[0]; ++i, a += steps[0], r += steps[1]) {
    *reinterpret_cast<T*>(r) = F{}(*reinterpret_cast<const T*>(a));
  }
}
template <class T, class F>
void binary(char** args, const int64_t* dims, const int64_t* steps, void*) {
  char *a = args[0], *b = args[1], *r = args[2];
  for (int64_t i = 0; i < dims[0]; ++i, a += steps[0], b += steps[1], r += steps[2]) {
    *reinterpret_cast<T*>(r) = F{}(*reinterpret_cast<const T*>(a), *reinterpret_cast<const T*>(b));
  }
}

template <class F>
void map(Builder& builder, Op op, F) {
  using Single = std::complex<float>;
  using Double = std::complex<double>;
  builder.set(op, slot_of<Single>, &unary<Single, F>);
  builder.set(op, slot_of<Double>, &unary<Double, F>);
  builder.library_calls(op, slot_of<Single>);
  builder.library_calls(op, slot_of<Double>);
}
template <class F>
void map2(Builder& builder, Op op, F) {
  using Single = std::complex<float>;
  using Double = std::complex<double>;
  builder.set(op, slot_of<Single>, &binary<Single, F>);
  builder.set(op, slot_of<Double>, &binary<Double, F>);
  builder.library_calls(op, slot_of<Single>);
  builder.library_calls(op, slot_of<Double>);
}

// exp(x) - 1 keeping the digits of a small real part: expm1(re) cos(im) - 2 sin(im/2)^2.
template <class T>
std::complex<T> exp_minus_one(std::complex<T> x) {
  const T half = std::sin(x.imag() / 2);
  return {std::expm1(x.real()) * std::cos(x.imag()) - 2 * half * half, std::exp(x.real()) * std::sin(x.imag())};
}
template <class T>
std::complex<T> log_one_plus(std::complex<T> x) {
  return {std::log(std::hypot(x.real() + 1, x.imag())), std::atan2(x.imag(), x.real() + 1)};
}
template <class T>
std::complex<T> scaled(std::complex<T> x, T factor) {
  return {x.real() * factor, x.imag() * factor};
}

// Products as NumPy's scalar power forms them.
template <class T>
std::complex<T> product(std::complex<T> x, std::complex<T> y) {
  return {x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real()};
}
// 1/x by Smith's method, which unlike std::complex's division keeps NaN where a part is infinite.
template <class T>
std::complex<T> reciprocal(std::complex<T> x) {
  const T re = x.real(), im = x.imag();
  if (std::fabs(re) >= std::fabs(im)) {
    const T ratio = im / re, scale = 1 / (re + im * ratio);
    return {scale, -ratio * scale};
  }
  const T ratio = re / im, scale = 1 / (im + re * ratio);
  return {ratio * scale, -scale};
}

// NumPy's rules: exact for y = 0, for x = 0 and for whole exponents below 100, by squaring.
template <class T>
std::complex<T> power(std::complex<T> x, std::complex<T> y) {
  if (y.real() == 0 && y.imag() == 0) return {1, 0};
  if (x.real() == 0 && x.imag() == 0) {
    if (y.real() > 0) return {0, 0};
    // No value: 0/0 raises the condition as well.
    const T zero = x.real();
    const T invalid = std::fabs(zero) / std::fabs(zero);
    return {invalid, invalid};
  }
  if (y.imag() == 0 && y.real() == std::floor(y.real()) && std::fabs(y.real()) < 100) {
    int exponent = static_cast<int>(std::fabs(y.real()));
    if (y.real() == 1) return x;
    if (y.real() == 2) return product(x, x);
    if (y.real() == 3) return product(x, product(x, x));
    std::complex<T> result(1, 0), square = x;
    for (; exponent != 0; exponent >>= 1) {
      if (exponent & 1) result = product(result, square);
      if (exponent > 1) square = product(square, square);
    }
    return y.real() < 0 ? reciprocal(result) : result;
  }
  return std::pow(x, y);
}

}  // namespace

void fill_complex_mathematics(Builder& b) {
  b.cost(kernel::Cost::kTranscendental);
  map(b, Op::sqrt, [](auto x) { return std::sqrt(x); });
  map(b, Op::exp, [](auto x) { return std::exp(x); });
  map(b, Op::exp2, [](auto x) {
    using T = decltype(x.real());
    return std::exp(scaled(x, T(M_LN2)));
  });
  map(b, Op::expm1, [](auto x) { return exp_minus_one(x); });
  map(b, Op::log, [](auto x) { return std::log(x); });
  map(b, Op::log2, [](auto x) {
    using T = decltype(x.real());
    return scaled(std::log(x), T(M_LOG2E));
  });
  map(b, Op::log10, [](auto x) {
    using T = decltype(x.real());
    return scaled(std::log(x), T(M_LOG10E));
  });
  map(b, Op::log1p, [](auto x) { return log_one_plus(x); });
  map(b, Op::sin, [](auto x) { return std::sin(x); });
  map(b, Op::cos, [](auto x) { return std::cos(x); });
  map(b, Op::tan, [](auto x) { return std::tan(x); });
  map(b, Op::arcsin, [](auto x) { return std::asin(x); });
  map(b, Op::arccos, [](auto x) { return std::acos(x); });
  map(b, Op::arctan, [](auto x) { return std::atan(x); });
  map(b, Op::sinh, [](auto x) { return std::sinh(x); });
  map(b, Op::cosh, [](auto x) { return std::cosh(x); });
  map(b, Op::tanh, [](auto x) { return std::tanh(x); });
  map(b, Op::arcsinh, [](auto x) { return std::asinh(x); });
  map(b, Op::arccosh, [](auto x) { return std::acosh(x); });
  map(b, Op::arctanh, [](auto x) { return std::atanh(x); });
  map2(b, Op::power, [](auto x, auto y) { return power(x, y); });
  map2(b, Op::float_power, [](auto x, auto y) { return power(x, y); });
}

}  // namespace manycore::library
