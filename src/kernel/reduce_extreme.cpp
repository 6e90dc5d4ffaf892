#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/reduce_extreme.cpp"
#include <complex>

#include "kernel/dispatch.h"
#include "kernel/reduce-inl.h"
#include "kernel/reduce_tables.h"

MANYCORE_TARGET_BEGIN

namespace hn = hwy::HWY_NAMESPACE;

// NumPy's rules. min and max give the first NaN; fmin and fmax pass over NaNs; complex numbers compare by real part, then
// imaginary part, and are NaN when either part is.
template <class T>
inline bool is_nan(T a) {
  return a != a;
}
template <class T>
inline bool is_nan(std::complex<T> a) {
  return a.real() != a.real() || a.imag() != a.imag();
}
template <class T>
inline bool less_equal(T a, T b) {
  return a <= b;
}
template <class T>
inline bool less_equal(std::complex<T> a, std::complex<T> b) {
  return (a.real() < b.real() && a.imag() == a.imag() && b.imag() == b.imag()) || (a.real() == b.real() && a.imag() <= b.imag());
}

struct Min {
  template <class T>
  T operator()(T a, T b) const {
    return (less_equal(a, b) || is_nan(a)) ? a : b;
  }
  Half operator()(Half a, Half b) const { return (*this)(half_to_float(a), half_to_float(b), a, b); }
  Half operator()(float x, float y, Half a, Half b) const { return (x <= y || x != x) ? a : b; }
};
struct Max {
  template <class T>
  T operator()(T a, T b) const {
    return (less_equal(b, a) || is_nan(a)) ? a : b;
  }
  Half operator()(Half a, Half b) const { return (*this)(half_to_float(a), half_to_float(b), a, b); }
  Half operator()(float x, float y, Half a, Half b) const { return (x >= y || x != x) ? a : b; }
};
struct Fmin {
  template <class T>
  T operator()(T a, T b) const {
    return (less_equal(a, b) || is_nan(b)) ? a : b;
  }
  Half operator()(Half a, Half b) const { return (*this)(half_to_float(a), half_to_float(b), a, b); }
  Half operator()(float x, float y, Half a, Half b) const { return (x <= y || y != y) ? a : b; }
};
struct Fmax {
  template <class T>
  T operator()(T a, T b) const {
    return (less_equal(b, a) || is_nan(b)) ? a : b;
  }
  Half operator()(Half a, Half b) const { return (*this)(half_to_float(a), half_to_float(b), a, b); }
  Half operator()(float x, float y, Half a, Half b) const { return (x >= y || y != y) ? a : b; }
};

// At least one vector, the last one overlapping.
template <class T, class F, bool kMaximum>
void short_extreme_run(std::byte* accumulator, const T* x, int64_t n) {
  const hn::ScalableTag<T> tag;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(tag));
  auto best = hn::LoadU(tag, x);
  auto nan = hn::IsNaN(best);
  for (int64_t i = lanes; i < n; i += lanes) {
    const auto next = hn::LoadU(tag, x + (i + lanes <= n ? i : n - lanes));
    best = kMaximum ? hn::Max(next, best) : hn::Min(next, best);
    nan = hn::Or(nan, hn::IsNaN(next));
  }
  if (!hn::AllFalse(tag, nan)) return fold_run<T, T, F>(accumulator, reinterpret_cast<const std::byte*>(x), sizeof(T), n);
  const T found = hn::GetLane(kMaximum ? hn::MaxOfLanes(tag, best) : hn::MinOfLanes(tag, best));
  T& value = *reinterpret_cast<T*>(accumulator);
  value = F{}(value, found);
}

// A contiguous run of floats in vectors. x86's minimum and maximum give their second operand where one is NaN, so NaNs are
// noticed on the side; a run that has one (rare) is folded again element by element.
template <class T, class F, bool kMaximum>
void extreme_run(std::byte* accumulator, const std::byte* input, int64_t stride, int64_t n) {
  const hn::ScalableTag<T> tag;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(tag));
  constexpr int kVectors = 4;
  if (stride != sizeof(T) || n < lanes) {
    fold_run<T, T, F>(accumulator, input, stride, n);
    return;
  }
  const T* x = reinterpret_cast<const T*>(input);
  if (n < kVectors * lanes) return short_extreme_run<T, F, kMaximum>(accumulator, x, n);
  const auto fold = [&](auto a, auto b) HWY_ATTR {
    if constexpr (kMaximum)
      return hn::Max(a, b);
    else
      return hn::Min(a, b);
  };
  auto m0 = hn::LoadU(tag, x), m1 = hn::LoadU(tag, x + lanes);
  auto m2 = hn::LoadU(tag, x + 2 * lanes), m3 = hn::LoadU(tag, x + 3 * lanes);
  auto nan = hn::IsNaN(m0);
  const auto step = [&](int64_t at) HWY_ATTR {
    for (int k = 0; k < kVectors; ++k) prefetch(x + at + k * lanes);
    const auto a = hn::LoadU(tag, x + at), b = hn::LoadU(tag, x + at + lanes);
    const auto c = hn::LoadU(tag, x + at + 2 * lanes), d = hn::LoadU(tag, x + at + 3 * lanes);
    m0 = fold(a, m0);
    m1 = fold(b, m1);
    m2 = fold(c, m2);
    m3 = fold(d, m3);
    nan = hn::Or(nan, hn::Or(hn::Or(hn::IsNaN(a), hn::IsNaN(b)), hn::Or(hn::IsNaN(c), hn::IsNaN(d))));
  };
  int64_t i = 0;
  for (; i + kVectors * lanes <= n; i += kVectors * lanes) step(i);
  if (i < n) step(n - kVectors * lanes);  // overlaps the last full step: harmless
  if (!hn::AllFalse(tag, nan)) {
    fold_run<T, T, F>(accumulator, input, stride, n);
    return;
  }
  T lane[HWY_MAX_BYTES / sizeof(T)];
  hn::StoreU(fold(fold(m0, m1), fold(m2, m3)), tag, lane);
  T value = *reinterpret_cast<T*>(accumulator);
  for (int64_t k = 0; k < lanes; ++k) value = F{}(value, lane[k]);
  *reinterpret_cast<T*>(accumulator) = value;
}

template <class F, bool kMaximum, class T>
constexpr ReduceLoops float_loops() {
  return {&extreme_run<T, F, kMaximum>, &fold_rows<T, T, F>, &fold_each<&extreme_run<T, F, kMaximum>>, true};
}

// bool compares as uint8: its bytes are 0 and 1.
template <class F, bool kMaximum>
constexpr FoldTable extreme_table() {
  using C64 = std::complex<float>;
  using C128 = std::complex<double>;
  return {{fold_loops<uint8_t, uint8_t, F>(true), fold_loops<int8_t, int8_t, F>(true), fold_loops<int16_t, int16_t, F>(true),
           fold_loops<int32_t, int32_t, F>(true), fold_loops<int64_t, int64_t, F>(true), fold_loops<uint8_t, uint8_t, F>(true),
           fold_loops<uint16_t, uint16_t, F>(true), fold_loops<uint32_t, uint32_t, F>(true),
           fold_loops<uint64_t, uint64_t, F>(true), fold_loops<Half, Half, F>(true), float_loops<F, kMaximum, float>(),
           float_loops<F, kMaximum, double>(), fold_loops<C64, C64, F>(true), fold_loops<C128, C128, F>(true)}};
}

static const FoldTable& extreme_tables(Reduction reduction) {
  static constexpr FoldTable kTables[4] = {extreme_table<Min, false>(), extreme_table<Max, true>(), extreme_table<Fmin, false>(),
                                           extreme_table<Fmax, true>()};
  return kTables[static_cast<int>(reduction) - static_cast<int>(Reduction::kMin)];
}

MANYCORE_TARGET_END

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(extreme_tables);
const FoldTable& find_extreme_table(Reduction reduction) { return HWY_DYNAMIC_DISPATCH(extreme_tables)(reduction); }
}  // namespace manycore::kernel
#endif
