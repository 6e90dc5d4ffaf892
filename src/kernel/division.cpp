// Floor division, remainder, fmod and divmod of floating point numbers by NumPy's definition (npy_divmod): the remainder is
// exact and has the divisor's sign. With fused multiply-add, which the exactness of the rest needs, a vector takes one division;
// elements whose quotient passes 2^50 or underflows, zero divisors, infinities and NaN take the C library's fmod one by one.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernel/float_status.h"
#include "kernel/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/division.cpp"
#include "hwy/foreach_target.h"
#include "kernel/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace manycore::kernel::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kBlock = 256;

// The part of divmod after fmod, for y != 0. Comparisons are quiet, NaN is no news.
template <class T>
T floor_quotient(T x, T y, T mod) {
  T div = (x - mod) / y;
  if (mod != 0 && std::signbit(y) != std::signbit(mod)) div -= 1;
  if (div == 0) return std::copysign(T(0), x / y);
  const T floored = std::floor(div);
  return std::isgreater(div - floored, T(0.5)) ? floored + 1 : floored;
}
template <class T>
T floor_remainder(T y, T mod) {
  if (mod == 0) return std::copysign(T(0), y);
  return std::signbit(y) != std::signbit(mod) ? mod + y : mod;
}

// The outputs of an operation for one element, with NumPy's answers for y = 0.
struct FloorDivide {
  static constexpr int kOutputs = 1;
  template <class T>
  static void scalar(T x, T y, T* out) {
    *out = y == 0 ? x / y : floor_quotient(x, y, std::fmod(x, y));
  }
};
struct Remainder {
  static constexpr int kOutputs = 1;
  template <class T>
  static void scalar(T x, T y, T* out) {
    const T mod = std::fmod(x, y);
    *out = y == 0 ? mod : floor_remainder(y, mod);
  }
};
struct Fmod {
  static constexpr int kOutputs = 1;
  template <class T>
  static void scalar(T x, T y, T* out) {
    *out = std::fmod(x, y);
  }
};
struct Divmod {
  static constexpr int kOutputs = 2;
  template <class T>
  static void scalar(T x, T y, T* out) {
    const T mod = std::fmod(x, y);
    out[0] = y == 0 ? x / y : floor_quotient(x, y, mod);
    out[1] = y == 0 ? mod : floor_remainder(y, mod);
  }
};

// A block of operands and results, for what does not lie side by side or is an operand too.
template <class T>
struct Block {
  T x[kBlock], y[kBlock], out[2][kBlock];
};

#if defined(__x86_64__) && HWY_TARGET <= HWY_AVX2
// A vector of every answer. A quotient below 2^52, rounded and floored (or truncated), is right or one too far from where it
// should have stopped (never short: an integer quotient is exact), so that the fused rest is that of fmod, rounded once where a
// divisor was added, or has the wrong sign and takes one divisor back. NumPy's floor division rounds (x - mod) / y: below 2^50
// that errs by less than 1/4, which its floor undoes, and what is left is the exact quotient, with the sign of x / y when 0.
template <class F, class T>
struct Quotients {
  using Tag = hn::ScalableTag<T>;
  using V = hn::Vec<Tag>;
  V x, y, ratio, sign, near, upright;
  hn::Mask<Tag> beyond;

  HWY_INLINE Quotients(V dividend, V divisor) : x(dividend), y(divisor) {
    constexpr bool kTruncates = std::is_same_v<F, Fmod>;
    ratio = hn::Div(x, y);
    near = kTruncates ? hn::Trunc(ratio) : hn::Floor(ratio);
    sign = hn::And(kTruncates ? x : y, hn::SignBit(Tag()));  // what the rest must have
    upright = hn::Xor(hn::NegMulAdd(near, y, x), sign);
    beyond = hn::Lt(upright, hn::Zero(Tag()));
  }
  HWY_INLINE V quotient() const { return hn::Sub(near, hn::IfThenElseZero(beyond, hn::Set(Tag(), 1))); }
  HWY_INLINE V rest() const { return hn::Xor(hn::Add(upright, hn::IfThenElseZero(beyond, hn::Abs(y))), sign); }
  HWY_INLINE hn::Mask<Tag> is_small() const {
    return hn::Lt(hn::Abs(ratio), hn::Set(Tag(), std::is_same_v<T, float> ? T(1 << 21) : T(int64_t(1) << 50)));
  }
  // Nothing met that NumPy might report, and no infinity.
  HWY_INLINE hn::Mask<Tag> is_ordinary() const {
    const Tag tag;
    const auto normal = hn::Ge(hn::Abs(ratio), hn::Set(tag, std::numeric_limits<T>::min()));
    const auto exact = hn::Or(normal, hn::Eq(x, hn::Zero(tag)));
    return hn::And(hn::And(is_small(), exact), hn::Le(hn::Abs(y), hn::Set(tag, std::numeric_limits<T>::max())));
  }
  HWY_INLINE void store(T* const* out, int64_t i) const {
    if constexpr (std::is_same_v<F, FloorDivide> || std::is_same_v<F, Divmod>) {
      hn::StoreU(quotient(), Tag(), out[0] + i);
    } else {
      hn::StoreU(rest(), Tag(), out[0] + i);
    }
    if constexpr (std::is_same_v<F, Divmod>) hn::StoreU(rest(), Tag(), out[1] + i);
  }
};

// n elements; false when some are not ordinary, and then the results are of no use. Infinities, zero divisors and quotients that
// underflow are seen in the processor's status, which costs nothing per element.
template <class F, class T>
bool divide_ordinary(const T* x, const T* y, int64_t n, T* const* out) {
  const QuietScope quiet;
  clear_status();
  const hn::ScalableTag<T> tag;
  const auto lanes = static_cast<int64_t>(hn::Lanes(tag));
  auto small = hn::Eq(hn::Zero(tag), hn::Zero(tag));
  for (int64_t i = 0; i < n; i += lanes) {
    const Quotients<F, T> answers(hn::LoadU(tag, x + i), hn::LoadU(tag, y + i));
    answers.store(out, i);
    small = hn::And(small, answers.is_small());
  }
  return hn::AllTrue(tag, small) && read_status() == 0;
}

// The same, where the others are told apart: the bits of `left`.
template <class F, class T>
void divide_some(const T* x, const T* y, int64_t n, T* const* out, uint64_t* left) {
  const QuietScope quiet;
  const hn::ScalableTag<T> tag;
  const auto lanes = static_cast<int64_t>(hn::Lanes(tag));
  std::fill_n(left, kBlock / 64, 0);
  for (int64_t i = 0; i < n; i += lanes) {
    const Quotients<F, T> answers(hn::LoadU(tag, x + i), hn::LoadU(tag, y + i));
    answers.store(out, i);
    uint8_t bits[8] = {};
    hn::StoreMaskBits(tag, hn::Not(answers.is_ordinary()), bits);
    uint64_t word;
    std::memcpy(&word, bits, sizeof word);
    left[i / 64] |= word << (i % 64);
  }
}
#else
template <class F, class T>
bool divide_ordinary(const T*, const T*, int64_t, T* const*) {
  return false;
}
template <class F, class T>
void divide_some(const T*, const T*, int64_t, T* const*, uint64_t* left) {
  std::fill_n(left, kBlock / 64, ~uint64_t{0});
}
#endif

// x and y are initialised up to the end of the last vector; `out` is neither of them.
template <class F, class T>
void divide_block(const T* x, const T* y, int64_t n, T* const* out) {
  if (HWY_LIKELY(divide_ordinary<F>(x, y, n, out))) return;
  uint64_t left[kBlock / 64];
  divide_some<F>(x, y, n, out, left);
  for (int64_t i = 0; i < n; ++i) {
    if (!(left[i / 64] >> (i % 64) & 1)) continue;
    T results[2];
    F::scalar(x[i], y[i], results);
    for (int k = 0; k < F::kOutputs; ++k) out[k][i] = results[k];
  }
}

// n elements side by side: where they lie when there is a whole block of them, else in the buffer, with ones behind them.
template <class T>
static const T* gathered(const char* from, int64_t step, int64_t n, T* buffer) {
  if (step == sizeof(T) && n == kBlock) return &at<T>(from);
  for (int64_t i = 0; i < n; ++i) buffer[i] = at<T>(from + i * step);
  std::fill(buffer + n, buffer + std::min<int64_t>(kBlock, n + HWY_MAX_BYTES / sizeof(T)), T(1));
  return buffer;
}

template <class F, class T>
void division_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  Block<T> block;
  for (int64_t begin = 0; begin < dims[0]; begin += kBlock) {
    const int64_t n = std::min(kBlock, dims[0] - begin);
    const bool again = begin != 0 && n == kBlock;  // one operand for all elements is in its buffer already
    const T* x = steps[0] == 0 && again ? block.x : gathered(args[0] + begin * steps[0], steps[0], n, block.x);
    const T* y = steps[1] == 0 && again ? block.y : gathered(args[1] + begin * steps[1], steps[1], n, block.y);
    T* out[2] = {block.out[0], block.out[1]};
    for (int k = 0; k < F::kOutputs; ++k) {
      char* to = args[2 + k];
      const bool apart = n == kBlock && to != args[0] && to != args[1];
      if (apart && steps[2 + k] == sizeof(T)) out[k] = &at<T>(to + begin * sizeof(T));
    }
    divide_block<F>(x, y, n, out);
    for (int k = 0; k < F::kOutputs; ++k) {
      if (out[k] != block.out[k]) continue;
      const int64_t step = steps[2 + k];
      char* to = args[2 + k] + begin * step;
      for (int64_t i = 0; i < n; ++i) at<T>(to + i * step) = block.out[k][i];
    }
  }
}

template <class... T>
void divisions(Builder& b, Types<T...>) {
  using op::Op;
  (b.set(Op::floor_divide, slot_of<T>, &division_loop<FloorDivide, T>), ...);
  (b.set(Op::remainder, slot_of<T>, &division_loop<Remainder, T>), ...);
  (b.set(Op::fmod, slot_of<T>, &division_loop<Fmod, T>), ...);
  (b.set(Op::divmod, slot_of<T>, &division_loop<Divmod, T>), ...);
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
