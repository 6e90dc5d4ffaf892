// Comparisons, maxima and minima, clip, for all but complex numbers (complex.cpp) and float16 (half.cpp).
// Where both are zero, or equal, or the second is NaN, maximum(x, y) is y and so are its relatives: what the x86 instructions
// do and therefore NumPy. None of these reports a floating point condition, so this file is built without trapping semantics.
#include "kernel/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/order.cpp"
#include "hwy/foreach_target.h"
#include "kernel/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace manycore::kernel::HWY_NAMESPACE {

template <class T>
HWY_INLINE T larger(T x, T y) {
  return x > y ? x : y;
}
template <class T>
HWY_INLINE T smaller(T x, T y) {
  return x < y ? x : y;
}

template <class... Lists>
void comparisons(Builder& b, Lists... lists) {
  using op::Op;
  (test2(b, Op::less, lists, [](auto x, auto y) { return Truth(x < y); }), ...);
  (test2(b, Op::less_equal, lists, [](auto x, auto y) { return Truth(x <= y); }), ...);
  (test2(b, Op::greater, lists, [](auto x, auto y) { return Truth(x > y); }), ...);
  (test2(b, Op::greater_equal, lists, [](auto x, auto y) { return Truth(x >= y); }), ...);
}

template <class F>
void mixed(Builder& b, op::Op op, F) {
  struct Swapped {
    bool operator()(uint64_t x, int64_t y) const { return y < 0 ? F{}(1, 0) : F{}(x, uint64_t(y)); }
  };
  struct Straight {
    bool operator()(int64_t x, uint64_t y) const { return x < 0 ? F{}(0, 1) : F{}(uint64_t(x), y); }
  };
  b.set(op, kInt64WithUInt64, &binary_loop<Truth, int64_t, uint64_t, Straight>);
  b.set(op, kUInt64WithInt64, &binary_loop<Truth, uint64_t, int64_t, Swapped>);
}

void order(Builder& b) {
  using op::Op;
  comparisons(b, Truths{}, Integers{}, Floats{});
  test2(b, Op::equal, Truths{}, [](auto x, auto y) { return Truth(bool(x) == bool(y)); });
  test2(b, Op::not_equal, Truths{}, [](auto x, auto y) { return Truth(bool(x) != bool(y)); });
  test2_bits(b, Op::equal, Unsigned{}, [](auto x, auto y) { return Truth(x == y); });
  test2_bits(b, Op::not_equal, Unsigned{}, [](auto x, auto y) { return Truth(x != y); });
  test2(b, Op::equal, Floats{}, [](auto x, auto y) { return Truth(x == y); });
  test2(b, Op::not_equal, Floats{}, [](auto x, auto y) { return Truth(x != y); });

  using U = uint64_t;
  mixed(b, Op::equal, [](U x, U y) { return x == y; });
  mixed(b, Op::not_equal, [](U x, U y) { return x != y; });
  mixed(b, Op::less, [](U x, U y) { return x < y; });
  mixed(b, Op::less_equal, [](U x, U y) { return x <= y; });
  mixed(b, Op::greater, [](U x, U y) { return x > y; });
  mixed(b, Op::greater_equal, [](U x, U y) { return x >= y; });

  for (Op op : {Op::maximum, Op::fmax}) {
    map2(b, op, Truths{}, [](auto x, auto y) { return Truth(x | y); });
    map2(b, op, Integers{}, [](auto x, auto y) { return larger(x, y); });
  }
  for (Op op : {Op::minimum, Op::fmin}) {
    map2(b, op, Truths{}, [](auto x, auto y) { return Truth(x & y); });
    map2(b, op, Integers{}, [](auto x, auto y) { return smaller(x, y); });
  }
  map2(b, Op::maximum, Floats{}, [](auto x, auto y) { return x != x ? x : larger(x, y); });
  map2(b, Op::minimum, Floats{}, [](auto x, auto y) { return x != x ? x : smaller(x, y); });
  map2(b, Op::fmax, Floats{}, [](auto x, auto y) { return y != y ? x : larger(x, y); });
  map2(b, Op::fmin, Floats{}, [](auto x, auto y) { return y != y ? x : smaller(x, y); });

  // clip(x, low, high) = minimum(maximum(x, low), high), NaN passing through from any of the three.
  map3(b, Op::clip, Truths{}, [](auto x, auto low, auto high) { return Truth((x | low) & high); });
  map3(b, Op::clip, Integers{}, [](auto x, auto low, auto high) { return smaller(larger(x, low), high); });
  map3(b, Op::clip, Floats{}, [](auto x, auto low, auto high) {
    const auto raised = x != x ? x : larger(x, low);
    return raised != raised ? raised : smaller(raised, high);
  });
}

}  // namespace manycore::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(order);
void fill_order(Builder& builder) { HWY_DYNAMIC_DISPATCH(order)(builder); }
}  // namespace manycore::kernel
#endif
