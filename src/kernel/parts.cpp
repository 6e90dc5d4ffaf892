// Rounding to integers and the parts of floating point numbers: sign, exponent, fraction, neighbours.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernel/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/parts.cpp"
#include "hwy/foreach_target.h"
#include "kernel/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace manycore::kernel::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Exponents that are those of normal numbers make it one product with a power of two, which rounds once as ldexp does.
template <class T, class F>
void ldexp_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  using Bits = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
  constexpr int64_t kBlock = 256, kBias = std::numeric_limits<T>::max_exponent - 1;
  constexpr int kFraction = std::numeric_limits<T>::digits - 1;
  T x[kBlock], powers[kBlock];
  int64_t exponents[kBlock];
  const char *a = args[0], *b = args[1];
  char* r = args[2];
  if (steps[1] == 0 && dims[0] > 0 && at<int64_t>(b) < kBias && at<int64_t>(b) > -kBias) {
    // One exponent: a multiplication.
    T power = __builtin_bit_cast(T, Bits(Bits(at<int64_t>(b) + kBias) << kFraction));
    const auto times = [](T left, T right) { return left * right; };
    char* product[3] = {args[0], reinterpret_cast<char*>(&power), args[2]};
    return binary_loop<T, T, T, decltype(times)>(product, dims, steps, nullptr);
  }
  for (int64_t begin = 0; begin < dims[0]; begin += kBlock) {
    const int64_t n = std::min(kBlock, dims[0] - begin);
    int64_t outside = 0;
    for (int64_t i = 0; i < n; ++i) exponents[i] = at<int64_t>(b + i * steps[1]);
    for (int64_t i = 0; i < n; ++i) {
      outside |= int64_t(exponents[i] > kBias) | int64_t(exponents[i] < 1 - kBias);
      powers[i] = __builtin_bit_cast(T, Bits((uint64_t(exponents[i]) + uint64_t(kBias)) << kFraction));
    }
    for (int64_t i = 0; i < n; ++i) x[i] = at<T>(a + i * steps[0]);
    if (outside == 0) {
      for (int64_t i = 0; i < n; ++i) x[i] *= powers[i];
    } else {
      for (int64_t i = 0; i < n; ++i) x[i] = F{}(x[i], exponents[i]);
    }
    for (int64_t i = 0; i < n; ++i) at<T>(r + i * steps[2]) = x[i];
    a += n * steps[0];
    b += n * steps[1];
    r += n * steps[2];
  }
}

template <class... T>
void exponents(Builder& b, Types<T...>) {
  const auto scale = [](auto x, int64_t exponent) {
    constexpr int64_t kLimit = std::numeric_limits<int>::max();
    return std::ldexp(x, static_cast<int>(std::clamp(exponent, -kLimit - 1, kLimit)));
  };
  const auto split = [](auto x, auto* fraction, int32_t* exponent) {
    int e = 0;
    *fraction = std::frexp(x, &e);
    *exponent = std::isfinite(x) ? e : 0;
  };
  (b.set(op::Op::ldexp, slot_of<T>, &ldexp_loop<T, decltype(scale)>), ...);
  (b.set(op::Op::frexp, slot_of<T>, &unary_pair_loop<T, T, int32_t, decltype(split)>), ...);
}

// GCC rounds element by element, so vectors are spelled out; the instructions and hence the bits are the same.
#define MANYCORE_ROUNDING(name, scalar, vector) \
  struct name {                                 \
    template <class T>                          \
    T operator()(T x) const {                   \
      return scalar(x);                         \
    }                                           \
    template <class V>                          \
    static HWY_INLINE V of(V x) {               \
      return vector(x);                         \
    }                                           \
  };
MANYCORE_ROUNDING(Floor, std::floor, hn::Floor)
MANYCORE_ROUNDING(Ceil, std::ceil, hn::Ceil)
MANYCORE_ROUNDING(Trunc, std::trunc, hn::Trunc)
MANYCORE_ROUNDING(Rint, std::rint, hn::Round)
#undef MANYCORE_ROUNDING

template <class T, class F>
void rounding_loop(char** args, const int64_t* dims, const int64_t* steps, void* data) {
  if (steps[0] != sizeof(T) || steps[1] != sizeof(T)) return unary_loop<T, T, F>(args, dims, steps, data);
  const hn::ScalableTag<T> tag;
  const auto lanes = static_cast<int64_t>(hn::Lanes(tag));
  const T* x = reinterpret_cast<const T*>(args[0]);
  T* y = reinterpret_cast<T*>(args[1]);
  int64_t i = 0;
  for (; i + lanes <= dims[0]; i += lanes) hn::StoreU(F::of(hn::LoadU(tag, x + i)), tag, y + i);
  for (; i < dims[0]; ++i) y[i] = F{}(x[i]);
}

template <class F, class... T>
void map_rounding(Builder& b, op::Op op, Types<T...>) {
  (b.set(op, slot_of<T>, &rounding_loop<T, F>), ...);
}

void parts(Builder& b) {
  using op::Op;
  for (Op op : {Op::floor, Op::ceil, Op::trunc}) {
    map(b, op, Truths{}, [](auto x) { return Truth(bool(x)); });
    map_bits(b, op, Unsigned{}, [](auto x) { return x; });
  }
  map_rounding<Floor>(b, Op::floor, Floats{});
  map_rounding<Ceil>(b, Op::ceil, Floats{});
  map_rounding<Trunc>(b, Op::trunc, Floats{});
  map_rounding<Rint>(b, Op::rint, Floats{});
  map2(b, Op::copysign, Floats{}, [](auto x, auto y) { return std::copysign(x, y); });
  map2(b, Op::heaviside, Floats{}, [](auto x, auto y) {
    using T = decltype(x);
    return x != x ? x : x == 0 ? y : x < 0 ? T(0) : T(1);
  });

  b.cost(Cost::kDivision);
  map2(b, Op::nextafter, Floats{}, [](auto x, auto y) { return std::nextafter(x, y); });
  // Away from zero, hence negative for negative x, and positive for both zeros; infinity has none, quietly.
  map(b, Op::spacing, Floats{}, [](auto x) {
    using T = decltype(x);
    constexpr T kInfinity = std::numeric_limits<T>::infinity();
    if (x == 0) return std::numeric_limits<T>::denorm_min();
    if (std::isinf(x)) return std::numeric_limits<T>::quiet_NaN();
    return std::nextafter(x, std::copysign(kInfinity, x)) - x;
  });
  exponents(b, Floats{});
  pair(b, Op::modf, Floats{}, [](auto x, auto* fraction, auto* whole) { *fraction = std::modf(x, whole); });
}

}  // namespace manycore::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(parts);
void fill_parts(Builder& builder) { HWY_DYNAMIC_DISPATCH(parts)(builder); }
}  // namespace manycore::kernel
#endif
