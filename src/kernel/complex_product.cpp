// multiply, square, divide and reciprocal of complex numbers by NumPy's formulas. They run on vectors of real and vectors of
// imaginary parts: side by side, GCC 12 would join a product and the sum behind it into a fused instruction (vfmaddsub) whatever
// -ffp-contract says, in the body of a loop but not in its tail. Each part of a product is one rounded product and one fused
// multiply-add where the processor has it, as in NumPy's vector loops; division (Smith's method) rounds every product. Both kinds of
// divisor are computed and one is chosen, which also spares the branch that random values mispredict.
#include <cmath>

#include "kernel/float_status.h"
#include "kernel/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/complex_product.cpp"
#include "hwy/foreach_target.h"
#include "kernel/loops-inl.h"
#include "kernel/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace manycore::kernel::HWY_NAMESPACE {

namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class D>
struct Parts {
  hn::Vec<D> re, im;
};

template <class D, class T = hn::TFromD<D>>
HWY_INLINE Parts<D> load(D d, const char* from) {
  const T* p = reinterpret_cast<const T*>(from);
  Parts<D> x;
  if constexpr (hn::MaxLanes(D()) == 1) {
    x.re = hn::LoadU(d, p);
    x.im = hn::LoadU(d, p + 1);
  } else {
    hn::LoadInterleaved2(d, p, x.re, x.im);
  }
  return x;
}
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store(D d, Parts<D> x, char* to) {
  T* p = reinterpret_cast<T*>(to);
  if constexpr (hn::MaxLanes(D()) == 1) {
    hn::StoreU(x.re, d, p);
    hn::StoreU(x.im, d, p + 1);
  } else {
    hn::StoreInterleaved2(x.re, x.im, d, p);
  }
}
// One register of elements that lie `step` bytes apart.
template <class T>
using Register = hn::FixedTag<T, 16 / sizeof(T)>;
template <class D, class T = hn::TFromD<D>>
HWY_INLINE Parts<D> load_apart(D d, const char* from, int64_t step) {
  if constexpr (sizeof(T) == 8) {
    const auto a = hn::LoadU(d, reinterpret_cast<const T*>(from)), b = hn::LoadU(d, reinterpret_cast<const T*>(from + step));
    return {hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b)};
  } else {
    const hn::FixedTag<uint64_t, 1> one;
    const auto at_step = [&](int64_t k) { return hn::LoadU(one, reinterpret_cast<const uint64_t*>(from + k * step)); };
    const hn::FixedTag<uint64_t, 2> two;
    const auto a = hn::BitCast(d, hn::Combine(two, at_step(1), at_step(0)));
    const auto b = hn::BitCast(d, hn::Combine(two, at_step(3), at_step(2)));
    return {hn::ConcatEven(d, b, a), hn::ConcatOdd(d, b, a)};
  }
}
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_apart(D d, Parts<D> x, char* to, int64_t step) {
  const auto a = hn::InterleaveLower(d, x.re, x.im), b = hn::InterleaveUpper(d, x.re, x.im);
  if constexpr (sizeof(T) == 8) {
    hn::StoreU(a, d, reinterpret_cast<T*>(to));
    hn::StoreU(b, d, reinterpret_cast<T*>(to + step));
  } else {
    const hn::FixedTag<uint64_t, 1> one;
    const auto at_step = [&](int64_t k) { return reinterpret_cast<uint64_t*>(to + k * step); };
    const auto first = hn::BitCast(hn::FixedTag<uint64_t, 2>(), a), second = hn::BitCast(hn::FixedTag<uint64_t, 2>(), b);
    hn::StoreU(hn::LowerHalf(one, first), one, at_step(0));
    hn::StoreU(hn::UpperHalf(one, first), one, at_step(1));
    hn::StoreU(hn::LowerHalf(one, second), one, at_step(2));
    hn::StoreU(hn::UpperHalf(one, second), one, at_step(3));
  }
}
template <class D, class T = hn::TFromD<D>>
HWY_INLINE Parts<D> repeat(D d, const char* from) {
  const T* p = reinterpret_cast<const T*>(from);
  return {hn::Set(d, p[0]), hn::Set(d, p[1])};
}

// The larger part of a divisor, the smaller over the larger, and which of them is the real one.
template <class D>
struct Scaled {
  hn::Mask<D> real_is_larger;
  hn::Vec<D> larger, ratio, denominator;
  HWY_INLINE explicit Scaled(D, Parts<D> y)
      : real_is_larger(hn::Ge(hn::Abs(y.re), hn::Abs(y.im))),
        larger(hn::IfThenElse(real_is_larger, y.re, y.im)),
        ratio(hn::Div(hn::IfThenElse(real_is_larger, y.im, y.re), larger)),
        denominator(hn::Add(larger, hn::Mul(hn::IfThenElse(real_is_larger, y.im, y.re), ratio))) {}
};

struct Product {
  static constexpr bool kDivides = false;
  template <class D>
  static HWY_INLINE Parts<D> apply(D, Parts<D> x, Parts<D> y) {
    return {hn::MulSub(x.re, y.re, hn::Mul(x.im, y.im)), hn::MulAdd(x.re, y.im, hn::Mul(x.im, y.re))};
  }
};

struct Quotient {
  static constexpr bool kDivides = true, kOwnZero = true;  // division by zero has a formula of its own
  template <class D>
  static HWY_INLINE Parts<D> apply(D d, Parts<D> x, Parts<D> y) {
    const Scaled<D> s(d, y);
    const auto scale = hn::Div(hn::Set(d, 1), s.denominator);
    const auto re = hn::Mul(x.re, s.ratio), im = hn::Mul(x.im, s.ratio);
    // (re(x) + im(x) ratio, im(x) - re(x) ratio), or (re(x) ratio + im(x), im(x) ratio - re(x))
    return {hn::Mul(hn::Add(hn::IfThenElse(s.real_is_larger, x.re, re), hn::IfThenElse(s.real_is_larger, im, x.im)), scale),
            hn::Mul(hn::Sub(hn::IfThenElse(s.real_is_larger, x.im, im), hn::IfThenElse(s.real_is_larger, re, x.re)), scale)};
  }
};

struct Inverse {
  static constexpr bool kDivides = true, kOwnZero = false;
  template <class D>
  static HWY_INLINE Parts<D> apply(D d, Parts<D>, Parts<D> y) {
    const Scaled<D> s(d, y);
    const auto one = hn::Set(d, 1);
    return {hn::Div(hn::IfThenElse(s.real_is_larger, one, s.ratio), s.denominator),
            hn::Div(hn::Neg(hn::IfThenElse(s.real_is_larger, s.ratio, one)), s.denominator)};
  }
};

template <class T, class F>
void compute_one(const char* x, const char* y, char* z) {
  if constexpr (F::kDivides) {
    const T re = at<T>(y), im = at<T>(y + sizeof(T));
    // NumPy compares the two parts, and so reports NaN.
    if (re != re || im != im) raise_status(kInvalidBit);
    if (F::kOwnZero && re == 0 && im == 0) {
      const T zero = std::fabs(re), first = at<T>(x), second = at<T>(x + sizeof(T));
      at<T>(z) = first / zero;
      at<T>(z + sizeof(T)) = second / zero;
      return;
    }
  }
  const hn::CappedTag<T, 1> d;
  store(d, F::apply(d, load(d, x), load(d, y)), z);
}

// True for divisors that a whole vector takes in one go: what is NaN or zero has conditions to report one by one.
template <class D>
HWY_INLINE bool all_ordinary(D d, Parts<D> y) {
  const auto zero = hn::Zero(d);
  const auto numbers = hn::And(hn::Eq(y.re, y.re), hn::Eq(y.im, y.im));
  return hn::AllTrue(d, hn::And(numbers, hn::Or(hn::Ne(y.re, zero), hn::Ne(y.im, zero))));
}

template <class T, class F>
void parts_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  constexpr int64_t kSize = 2 * sizeof(T);
  const int64_t n = dims[0], sx = steps[0], sy = steps[1], sz = steps[2];
  const char *x = args[0], *y = args[1];
  char* z = args[2];
  int64_t i = 0;
  // Each element on its own: what does not fill a vector, and divisors that are not ordinary.
  const auto compute_up_to = [&](int64_t end) {
    for (; i < end; ++i) compute_one<T, F>(x + i * sx, y + i * sy, z + i * sz);
  };
  const hn::ScalableTag<T> d;
  const Register<T> r;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), few = static_cast<int64_t>(hn::Lanes(r));
  if (sz == kSize && (sx == kSize || sx == 0) && (sy == kSize || sy == 0) && n >= lanes) {
    const Parts<hn::ScalableTag<T>> one_x = repeat(d, x), one_y = repeat(d, y);
    while (i + lanes <= n) {
      const Parts<hn::ScalableTag<T>> right = sy == 0 ? one_y : load(d, y + i * sy);
      if (F::kDivides && HWY_UNLIKELY(!all_ordinary(d, right))) {
        compute_up_to(i + lanes);
      } else {
        store(d, F::apply(d, sx == 0 ? one_x : load(d, x + i * sx), right), z + i * sz);
        i += lanes;
      }
    }
  }
  while (i + few <= n) {
    const Parts<Register<T>> right = load_apart(r, y + i * sy, sy);
    if (F::kDivides && HWY_UNLIKELY(!all_ordinary(r, right))) {
      compute_up_to(i + few);
    } else {
      store_apart(r, F::apply(r, load_apart(r, x + i * sx, sx), right), z + i * sz, sz);
      i += few;
    }
  }
  compute_up_to(n);
}

// The same with a numerator that is not looked at.
template <class T>
void reciprocal_loop(char** args, const int64_t* dims, const int64_t* steps, void* data) {
  char* operands[3] = {args[0], args[0], args[1]};
  const int64_t operand_steps[3] = {0, steps[0], steps[1]};
  parts_loop<T, Inverse>(operands, dims, operand_steps, data);
}

template <class T>
void square_loop(char** args, const int64_t* dims, const int64_t* steps, void* data) {
  char* operands[3] = {args[0], args[0], args[1]};
  const int64_t operand_steps[3] = {steps[0], steps[0], steps[1]};
  parts_loop<T, Product>(operands, dims, operand_steps, data);
}

template <class T>
void register_loops(Builder& b) {
  constexpr int kSlot = slot_of<std::complex<T>>;
  b.cost(Cost::kMemory);
  b.set(op::Op::multiply, kSlot, &parts_loop<T, Product>);
  b.set(op::Op::square, kSlot, &square_loop<T>);
  b.cost(Cost::kDivision);
  b.set(op::Op::divide, kSlot, &parts_loop<T, Quotient>);
  b.set(op::Op::reciprocal, kSlot, &reciprocal_loop<T>);
}

}  // namespace

void complex_product(Builder& b) {
  register_loops<float>(b);
  register_loops<double>(b);
}

}  // namespace manycore::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(complex_product);
void fill_complex_product(Builder& builder) { HWY_DYNAMIC_DISPATCH(complex_product)(builder); }
}  // namespace manycore::kernel
#endif
