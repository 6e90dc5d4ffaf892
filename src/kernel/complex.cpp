// Complex numbers: arithmetic by NumPy's formulas, lexicographic order with NaN as NumPy orders it, truth and classes. Products
// and quotients: complex_product.cpp.
#include <cmath>
#include <limits>

#include "kernel/float_status.h"
#include "kernel/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/complex.cpp"
#include "hwy/foreach_target.h"
#include "kernel/loops-inl.h"
#include "kernel/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace manycore::kernel::HWY_NAMESPACE {

using Zs = Types<Z<float>, Z<double>>;

template <class T>
HWY_INLINE bool unordered(Z<T> x) {
  return (x.re != x.re) | (x.im != x.im);
}
// Lexicographic; a NaN imaginary part lets the real parts decide alone.
template <class T>
HWY_INLINE bool above(Z<T> x, Z<T> y) {
  return (x.re > y.re && x.im == x.im && y.im == y.im) || (x.re == y.re && x.im > y.im);
}
template <class T>
HWY_INLINE bool not_below(Z<T> x, Z<T> y) {
  return (x.re > y.re && x.im == x.im && y.im == y.im) || (x.re == y.re && x.im >= y.im);
}
// Lexicographic without regard to NaN, as clip compares.
template <class T>
HWY_INLINE bool after(Z<T> x, Z<T> y) {
  return x.re == y.re ? x.im > y.im : x.re > y.re;
}
template <class T>
HWY_INLINE bool truth(Z<T> x) {
  return (x.re != 0) | (x.im != 0);
}

template <class T>
HWY_INLINE Z<T> maximum(Z<T> x, Z<T> y) {
  return unordered(x) || not_below(x, y) ? x : y;
}
template <class T>
HWY_INLINE Z<T> minimum(Z<T> x, Z<T> y) {
  return unordered(x) || not_below(y, x) ? x : y;
}

template <class... T>
void absolutes(Builder& b, Types<T...>) {
  const auto absolute = [](auto x) { return std::hypot(x.re, x.im); };
  b.cost(Cost::kTranscendental);
  (b.set(op::Op::absolute, slot_of<std::complex<T>>, &unary_loop<T, Z<T>, decltype(absolute)>), ...);
}

}  // namespace manycore::kernel::HWY_NAMESPACE

namespace manycore::kernel {
template <>
inline constexpr int slot_of<HWY_NAMESPACE::Z<float>> = slot_of<std::complex<float>>;
template <>
inline constexpr int slot_of<HWY_NAMESPACE::Z<double>> = slot_of<std::complex<double>>;
}  // namespace manycore::kernel

namespace manycore::kernel::HWY_NAMESPACE {

void complexes(Builder& b) {
  using op::Op;
  map2(b, Op::add, Zs{}, [](auto x, auto y) { return decltype(x){x.re + y.re, x.im + y.im}; });
  map2(b, Op::subtract, Zs{}, [](auto x, auto y) { return decltype(x){x.re - y.re, x.im - y.im}; });
  map(b, Op::negative, Zs{}, [](auto x) { return decltype(x){-x.re, -x.im}; });
  map(b, Op::positive, Zs{}, [](auto x) { return x; });
  map(b, Op::conjugate, Zs{}, [](auto x) { return decltype(x){x.re, -x.im}; });
  map(b, Op::rint, Zs{}, [](auto x) { return decltype(x){std::rint(x.re), std::rint(x.im)}; });

  test2(b, Op::equal, Zs{}, [](auto x, auto y) { return Truth((x.re == y.re) & (x.im == y.im)); });
  test2(b, Op::not_equal, Zs{}, [](auto x, auto y) { return Truth((x.re != y.re) | (x.im != y.im)); });
  test2(b, Op::less, Zs{}, [](auto x, auto y) { return Truth(above(y, x)); });
  test2(b, Op::less_equal, Zs{}, [](auto x, auto y) { return Truth(not_below(y, x)); });
  test2(b, Op::greater, Zs{}, [](auto x, auto y) { return Truth(above(x, y)); });
  test2(b, Op::greater_equal, Zs{}, [](auto x, auto y) { return Truth(not_below(x, y)); });
  // Unlike those of real numbers, these report what comparing with NaN raises.
  for (Op op : {Op::less, Op::less_equal, Op::greater, Op::greater_equal}) b.reports(op, Zs{}, kInvalidBit);
  map2(b, Op::maximum, Zs{}, [](auto x, auto y) { return maximum(x, y); });
  map2(b, Op::minimum, Zs{}, [](auto x, auto y) { return minimum(x, y); });
  map2(b, Op::fmax, Zs{}, [](auto x, auto y) { return unordered(y) || not_below(x, y) ? x : y; });
  map2(b, Op::fmin, Zs{}, [](auto x, auto y) { return unordered(y) || not_below(y, x) ? x : y; });
  map3(b, Op::clip, Zs{}, [](auto x, auto low, auto high) {
    const auto raised = unordered(x) || after(x, low) ? x : low;
    return unordered(raised) || after(high, raised) ? raised : high;
  });

  test2(b, Op::logical_and, Zs{}, [](auto x, auto y) { return Truth(truth(x) & truth(y)); });
  test2(b, Op::logical_or, Zs{}, [](auto x, auto y) { return Truth(truth(x) | truth(y)); });
  test2(b, Op::logical_xor, Zs{}, [](auto x, auto y) { return Truth(truth(x) != truth(y)); });
  test(b, Op::logical_not, Zs{}, [](auto x) { return Truth(!truth(x)); });
  test(b, Op::isnan, Zs{}, [](auto x) { return Truth(unordered(x)); });
  test(b, Op::isinf, Zs{}, [](auto x) { return Truth(std::isinf(x.re) | std::isinf(x.im)); });
  test(b, Op::isfinite, Zs{}, [](auto x) { return Truth(std::isfinite(x.re) & std::isfinite(x.im)); });
  map(b, Op::sign, Zs{}, [](auto x) {
    using T = decltype(x.re);
    const T length = std::hypot(x.re, x.im);
    if (std::isinf(length)) {
      // One infinite part decides the direction; two have none.
      constexpr T kNone = std::numeric_limits<T>::quiet_NaN();
      if (std::isinf(x.re) && std::isinf(x.im)) return decltype(x){kNone, kNone};
      return std::isinf(x.re) ? decltype(x){x.re > 0 ? T(1) : T(-1), T(0)} : decltype(x){T(0), x.im > 0 ? T(1) : T(-1)};
    }
    return length == 0 ? decltype(x){0, 0} : decltype(x){x.re / length, x.im / length};
  });

  b.reports(Op::sign, Zs{}, op::errors::all);
  absolutes(b, Floats{});
  b.reports(Op::absolute, Zs{}, op::errors::none);  // NumPy hears of no overflow there
}

}  // namespace manycore::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(complexes);
void fill_complex(Builder& builder) { HWY_DYNAMIC_DISPATCH(complexes)(builder); }
}  // namespace manycore::kernel
#endif
