// add, subtract, multiply, divide and the one-operand arithmetic of real numbers. Complex numbers: complex.cpp and
// complex_product.cpp; integer division: integer_division.cpp; float floor division and remainders: division.cpp.
#include <cmath>

#include "kernel/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/arithmetic.cpp"
#include "hwy/foreach_target.h"
#include "kernel/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace manycore::kernel::HWY_NAMESPACE {

template <class T>
inline constexpr T kPi = T(3.14159265358979323846);

void arithmetic(Builder& b) {
  using op::Op;
  map2(b, Op::add, Truths{}, [](auto x, auto y) { return Truth(x | y); });
  map2(b, Op::multiply, Truths{}, [](auto x, auto y) { return Truth(x & y); });
  map(b, Op::absolute, Truths{}, [](auto x) { return Truth(bool(x)); });

  map2_bits(b, Op::add, Unsigned{}, [](auto x, auto y) { return decltype(x)(Wrapping<decltype(x)>(x) + y); });
  map2_bits(b, Op::subtract, Unsigned{}, [](auto x, auto y) { return decltype(x)(Wrapping<decltype(x)>(x) - y); });
  map2_bits(b, Op::multiply, Unsigned{}, [](auto x, auto y) { return decltype(x)(Wrapping<decltype(x)>(x) * y); });
  map_bits(b, Op::square, Unsigned{}, [](auto x) { return decltype(x)(Wrapping<decltype(x)>(x) * x); });
  map_bits(b, Op::negative, Unsigned{}, [](auto x) { return decltype(x)(0 - Wrapping<decltype(x)>(x)); });
  map_bits(b, Op::positive, Unsigned{}, [](auto x) { return x; });
  map_bits(b, Op::conjugate, Unsigned{}, [](auto x) { return x; });
  map(b, Op::absolute, Unsigned{}, [](auto x) { return x; });
  map(b, Op::absolute, Signed{}, [](auto x) { return decltype(x)(x < 0 ? 0 - Wrapping<decltype(x)>(x) : x); });
  map(b, Op::sign, Unsigned{}, [](auto x) { return decltype(x)(x != 0); });
  map(b, Op::sign, Signed{}, [](auto x) { return decltype(x)((x > 0) - (x < 0)); });

  map2(b, Op::add, Floats{}, [](auto x, auto y) { return x + y; });
  map2(b, Op::subtract, Floats{}, [](auto x, auto y) { return x - y; });
  map2(b, Op::multiply, Floats{}, [](auto x, auto y) { return x * y; });
  map(b, Op::square, Floats{}, [](auto x) { return x * x; });
  map(b, Op::negative, Floats{}, [](auto x) { return -x; });
  map(b, Op::positive, Floats{}, [](auto x) { return x; });
  map(b, Op::conjugate, Floats{}, [](auto x) { return x; });
  map(b, Op::absolute, Floats{}, [](auto x) { return std::fabs(x); });
  map(b, Op::fabs, Floats{}, [](auto x) { return std::fabs(x); });
  map(b, Op::sign, Floats{}, [](auto x) {
    using T = decltype(x);
    return x != x ? x : T(x > 0) - T(x < 0);
  });
  // One product with a constant that is rounded in the element's type, as NumPy does.
  map(b, Op::degrees, Floats{}, [](auto x) { return x * (decltype(x)(180) / kPi<decltype(x)>); });
  map(b, Op::rad2deg, Floats{}, [](auto x) { return x * (decltype(x)(180) / kPi<decltype(x)>); });
  map(b, Op::radians, Floats{}, [](auto x) { return x * (kPi<decltype(x)> / decltype(x)(180)); });
  map(b, Op::deg2rad, Floats{}, [](auto x) { return x * (kPi<decltype(x)> / decltype(x)(180)); });

  b.cost(Cost::kDivision);
  map2(b, Op::divide, Floats{}, [](auto x, auto y) { return x / y; });
  map(b, Op::reciprocal, Floats{}, [](auto x) { return 1 / x; });
  map(b, Op::sqrt, Floats{}, [](auto x) { return std::sqrt(x); });
}

}  // namespace manycore::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(arithmetic);
void fill_arithmetic(Builder& builder) { HWY_DYNAMIC_DISPATCH(arithmetic)(builder); }
}  // namespace manycore::kernel
#endif
