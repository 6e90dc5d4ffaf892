// Truth of numbers and classes of floating point numbers. Nothing here reports a floating point condition.
#include <cmath>

#include "kernel/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/logic.cpp"
#include "hwy/foreach_target.h"
#include "kernel/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace manycore::kernel::HWY_NAMESPACE {

// By bits: exact for NaN, and free of signals.
template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
template <class T>
HWY_INLINE Bits<T> magnitude_bits(T x) {
  return __builtin_bit_cast(Bits<T>, x) << 1;
}
template <class T>
inline constexpr Bits<T> kInfinityBits = sizeof(T) == 4 ? Bits<T>(0xff000000u) : Bits<T>(0xffe0000000000000u);

void logic(Builder& b) {
  using op::Op;
  // bool(x) first: a bool array may hold other bytes than 0 and 1.
  test2(b, Op::logical_and, Truths{}, [](auto x, auto y) { return Truth(bool(x) & bool(y)); });
  test2(b, Op::logical_or, Truths{}, [](auto x, auto y) { return Truth(bool(x) | bool(y)); });
  test2(b, Op::logical_xor, Truths{}, [](auto x, auto y) { return Truth(bool(x) != bool(y)); });
  test(b, Op::logical_not, Truths{}, [](auto x) { return Truth(!x); });
  test2_bits(b, Op::logical_and, Unsigned{}, [](auto x, auto y) { return Truth((x != 0) & (y != 0)); });
  test2_bits(b, Op::logical_or, Unsigned{}, [](auto x, auto y) { return Truth((x | y) != 0); });
  test2_bits(b, Op::logical_xor, Unsigned{}, [](auto x, auto y) { return Truth((x != 0) != (y != 0)); });
  test_bits(b, Op::logical_not, Unsigned{}, [](auto x) { return Truth(x == 0); });
  test2(b, Op::logical_and, Floats{}, [](auto x, auto y) { return Truth((x != 0) & (y != 0)); });
  test2(b, Op::logical_or, Floats{}, [](auto x, auto y) { return Truth((x != 0) | (y != 0)); });
  test2(b, Op::logical_xor, Floats{}, [](auto x, auto y) { return Truth((x != 0) != (y != 0)); });
  test(b, Op::logical_not, Floats{}, [](auto x) { return Truth(x == 0); });

  test(b, Op::isfinite, Truths{}, [](auto) { return Truth(true); });
  test(b, Op::isinf, Truths{}, [](auto) { return Truth(false); });
  test(b, Op::isnan, Truths{}, [](auto) { return Truth(false); });
  test_bits(b, Op::isfinite, Unsigned{}, [](auto) { return Truth(true); });
  test_bits(b, Op::isinf, Unsigned{}, [](auto) { return Truth(false); });
  test_bits(b, Op::isnan, Unsigned{}, [](auto) { return Truth(false); });
  test(b, Op::isfinite, Floats{}, [](auto x) { return Truth(magnitude_bits(x) < kInfinityBits<decltype(x)>); });
  test(b, Op::isinf, Floats{}, [](auto x) { return Truth(magnitude_bits(x) == kInfinityBits<decltype(x)>); });
  test(b, Op::isnan, Floats{}, [](auto x) { return Truth(x != x); });
  test(b, Op::signbit, Floats{},
       [](auto x) { return Truth(__builtin_bit_cast(Bits<decltype(x)>, x) >> (8 * sizeof(x) - 1) != 0); });
}

}  // namespace manycore::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(logic);
void fill_logic(Builder& builder) { HWY_DYNAMIC_DISPATCH(logic)(builder); }
}  // namespace manycore::kernel
#endif
