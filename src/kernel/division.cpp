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

inline constexpr int64_t kBlock = 256;

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

// A block of operands and results.
template <class T>
struct Block {
  T x[kBlock], y[kBlock], out[2][kBlock];
  uint64_t left[kBlock / 64];  // bits of the elements that the vectors have no answer for
};

#if defined(__x86_64__) && HWY_TARGET <= HWY_AVX2
// A vector of every answer. With a quotient below 2^52 the rounded one, truncated, is right or one too large (never too small: an
// integer quotient is exact), so that the fused rest is exact and at most one divisor negative. NumPy's floor division rounds
// (x - mod) / y: below 2^50 that errs by less than 1/4, which its floor undoes, and what is left is the exact quotient.
template <class T>
struct Quotients {
  using Tag = hn::ScalableTag<T>;
  using V = hn::Vec<Tag>;
  V whole, mod, divisor;
  hn::Mask<Tag> moves;  // the rest has not the divisor's sign
  hn::Mask<Tag> left;

  Quotients(V x, V y) : divisor(y) {
    const Tag tag;
    const auto ax = hn::Abs(x), ay = hn::Abs(y), zero = hn::Zero(tag);
    const auto ratio = hn::Div(ax, ay);
    const auto near = hn::Trunc(ratio);
    const auto rest = hn::NegMulAdd(near, ay, ax);
    const auto beyond = hn::Lt(rest, zero);
    mod = hn::CopySign(hn::Add(rest, hn::IfThenElseZero(beyond, ay)), x);
    const auto toward_zero = hn::CopySign(hn::Sub(near, hn::IfThenElseZero(beyond, hn::Set(tag, 1))), hn::Xor(x, y));
    moves = hn::And(hn::Ne(mod, zero), hn::Lt(hn::CopySign(hn::Set(tag, 1), hn::Xor(x, y)), zero));
    whole = hn::Sub(toward_zero, hn::IfThenElseZero(moves, hn::Set(tag, 1)));
    const auto most = hn::Set(tag, std::is_same_v<T, float> ? T(1 << 21) : T(int64_t(1) << 50));
    const auto fits = hn::And(hn::Lt(ratio, most), hn::Le(ay, hn::Set(tag, std::numeric_limits<T>::max())));
    const auto normal = hn::Or(hn::Ge(ratio, hn::Set(tag, std::numeric_limits<T>::min())), hn::Eq(x, zero));
    left = hn::Not(hn::And(fits, normal));
  }
  V rest() const {
    return hn::IfThenElse(hn::Eq(mod, hn::Zero(Tag())), hn::CopySign(hn::Zero(Tag()), divisor),
                          hn::Add(mod, hn::IfThenElseZero(moves, divisor)));
  }
};

template <class F, class T>
HWY_INLINE void store(const Quotients<T>& answers, T* first, T* second) {
  const hn::ScalableTag<T> tag;
  if constexpr (std::is_same_v<F, Fmod>) {
    hn::StoreU(answers.mod, tag, first);
  } else if constexpr (std::is_same_v<F, Remainder>) {
    hn::StoreU(answers.rest(), tag, first);
  } else {
    hn::StoreU(answers.whole, tag, first);
    if constexpr (std::is_same_v<F, Divmod>) hn::StoreU(answers.rest(), tag, second);
  }
}

// The first n elements; those of the last vector beyond n are computed too and must be initialised.
template <class F, class T>
bool compute(const T* x, const T* y, int64_t n, Block<T>& block) {
  const QuietScope quiet;
  const hn::ScalableTag<T> tag;
  const auto lanes = static_cast<int64_t>(hn::Lanes(tag));
  uint64_t any = 0;
  std::fill(std::begin(block.left), std::end(block.left), 0);
  for (int64_t i = 0; i < n; i += lanes) {
    const Quotients<T> answers(hn::LoadU(tag, x + i), hn::LoadU(tag, y + i));
    store<F>(answers, block.out[0] + i, block.out[1] + i);
    if (HWY_LIKELY(hn::AllFalse(tag, answers.left))) continue;
    uint8_t bits[8] = {};
    hn::StoreMaskBits(tag, answers.left, bits);
    uint64_t word;
    std::memcpy(&word, bits, sizeof word);
    block.left[i / 64] |= word << (i % 64);
    any |= word;
  }
  return any == 0;
}
#else
template <class F, class T>
bool compute(const T*, const T*, int64_t, Block<T>& block) {
  std::fill(std::begin(block.left), std::end(block.left), ~uint64_t{0});
  return false;
}
#endif

// n elements side by side: where they lie when there is a whole block of them, else in the buffer, with ones behind them.
template <class T>
const T* gathered(const char* from, int64_t step, int64_t n, T* buffer) {
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
    if (!compute<F>(x, y, n, block)) {
      for (int64_t i = 0; i < n; ++i) {
        if (!(block.left[i / 64] >> (i % 64) & 1)) continue;
        T out[2];
        F::scalar(x[i], y[i], out);
        for (int k = 0; k < F::kOutputs; ++k) block.out[k][i] = out[k];
      }
    }
    for (int k = 0; k < F::kOutputs; ++k) {
      const int64_t step = steps[2 + k];
      char* to = args[2 + k] + begin * step;
      if (step == sizeof(T)) {
        std::memcpy(to, block.out[k], static_cast<size_t>(n) * sizeof(T));
      } else {
        for (int64_t i = 0; i < n; ++i) at<T>(to + i * step) = block.out[k][i];
      }
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
