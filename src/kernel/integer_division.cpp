// Floor division, remainder, fmod and divmod of integers. x//0 and x%0 are 0 and report a division by zero; MIN//-1 is MIN and
// reports an overflow. Where both operands are exact in a floating point type, one rounded quotient there gives the exact answer
// and vectorises: up to 16 bits in float, 32 bits in double, 64 bits in double for blocks whose elements lie within 2^50.
// Other blocks of 64 bits take two such steps with AVX-512 and the divide instruction elsewhere. Where the compiler vectorises
// there is no floating point operation under a condition: it might trap, and the loop would stay scalar (half as fast as NumPy).
#include <algorithm>
#include <limits>

#include "kernel/float_status.h"
#include "kernel/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/integer_division.cpp"
#include "hwy/foreach_target.h"
#include "kernel/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace manycore::kernel::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

enum class Part { kFloorQuotient, kFloorRemainder, kTruncatedRemainder };

// Vectors of elements of T as floating point numbers that hold them exactly; 64-bit ones lie in [-2^50, 2^50).
template <class T>
struct Exactly {
  using Float = std::conditional_t<(sizeof(T) <= 2), float, double>;
  using Tag = hn::ScalableTag<Float>;
  using Bits = hn::RebindToUnsigned<Tag>;
  using Elements = hn::Rebind<T, Tag>;
  using Wide = std::conditional_t<std::is_signed_v<T>, hn::RebindToSigned<Tag>, Bits>;
  using V = hn::Vec<Tag>;
  static constexpr int64_t kMostLanes = HWY_MAX_BYTES / sizeof(Float);

  // Added to a smaller whole number it leaves that in the low bits, as two's complement.
  static HWY_INLINE V shift() { return hn::Set(Tag(), Float(sizeof(Float) == 4 ? 0x1.8p23 : 0x1.8p52)); }

  static HWY_INLINE V load(const T* from) {
    const auto elements = hn::LoadU(Elements(), from);
    if constexpr (sizeof(T) == sizeof(Float)) {
      return from_bits(hn::BitCast(Bits(), elements));
    } else {
      return from_bits(hn::BitCast(Bits(), hn::PromoteTo(Wide(), elements)));
    }
  }
  static HWY_INLINE V from_bits(hn::Vec<Bits> bits) {
    return hn::Sub(hn::BitCast(Tag(), hn::Add(bits, hn::BitCast(Bits(), shift()))), shift());
  }
  // The low bits of whole numbers to which shift() was added.
  static HWY_INLINE void store(V shifted, T* to) {
    const auto bits = hn::Sub(hn::BitCast(Bits(), shifted), hn::BitCast(Bits(), shift()));
    if constexpr (sizeof(T) == sizeof(Float)) {
      hn::StoreU(hn::BitCast(Elements(), bits), Elements(), to);
    } else {
      const hn::Rebind<std::make_unsigned_t<T>, Tag> narrow;
      hn::StoreU(hn::BitCast(Elements(), hn::TruncateTo(narrow, bits)), Elements(), to);
    }
  }
};

// Both of these answer with shift() added. Products of a whole quotient and its divisor are exact, so that fused operations
// change nothing there.

// The rounded quotient cannot reach the next integer: that is 1/y away, more than half a unit in its last place.
template <Part kPart, class T>
struct ByEach {
  using E = Exactly<T>;
  HWY_INLINE typename E::V operator()(typename E::V x, typename E::V y) const {
    const typename E::Tag tag;
    const auto zero = hn::Eq(y, hn::Zero(tag));
    const auto divisor = hn::IfThenElse(zero, hn::Set(tag, 1), y);
    const auto ratio = hn::Div(x, divisor);
    if constexpr (kPart == Part::kFloorQuotient) return hn::Add(hn::IfThenZeroElse(zero, hn::Floor(ratio)), E::shift());
    return hn::Add(hn::NegMulAdd(kPart == Part::kFloorRemainder ? hn::Floor(ratio) : hn::Trunc(ratio), divisor, x), E::shift());
  }
};

// One divisor, not 0, for many elements: (x + 1/2) / y for y > 0, (x - 1/2) / y for y < 0, has the floor of x / y and is at
// least 1/(2|y|) away from every integer, further than a product with the reciprocal errs, fused or not. The shift
// rounds it, less 1/2, to the nearest integer, which is that floor.
template <Part kPart, class T>
struct ByOne {
  using E = Exactly<T>;
  typename E::Float divisor, reciprocal, offset;
  explicit ByOne(T y) : divisor(y) {
    if (kPart == Part::kTruncatedRemainder && divisor < 0) divisor = -divisor;
    reciprocal = 1 / divisor;
    offset = (reciprocal < 0 ? -reciprocal : reciprocal) / 2 - typename E::Float(0.5);
  }
  HWY_INLINE typename E::V operator()(typename E::V x, typename E::V) const {
    const typename E::Tag tag;
    const auto from = kPart == Part::kTruncatedRemainder ? hn::Abs(x) : x;
    const auto shifted = hn::Add(hn::MulAdd(from, hn::Set(tag, reciprocal), hn::Set(tag, offset)), E::shift());
    if constexpr (kPart == Part::kFloorQuotient) return shifted;
    const auto rest = hn::NegMulAdd(hn::Sub(shifted, E::shift()), hn::Set(tag, divisor), from);
    return hn::Add(kPart == Part::kTruncatedRemainder ? hn::CopySign(rest, x) : rest, E::shift());
  }
};

// z = divide(x, y), element by element.
template <class T, class Divide>
void divide_exactly(const T* x, const T* y, T* z, int64_t n, Divide divide) {
  using E = Exactly<T>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(typename E::Tag()));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) E::store(divide(E::load(x + i), E::load(y + i)), z + i);
  if (i == n) return;
  T padded[3][E::kMostLanes] = {};
  std::copy(x + i, x + n, padded[0]);
  std::copy(y + i, y + n, padded[1]);
  E::store(divide(E::load(padded[0]), E::load(padded[1])), padded[2]);
  std::copy_n(padded[2], n - i, z + i);
}

// 64 bits of any size. x / y for y != 0 and not MIN / -1: truncated, or one too far where x / y is next to an integer.
template <class T>
HWY_INLINE T near_quotient(T x, T y) {
#if defined(__x86_64__) && HWY_TARGET <= HWY_AVX3
  // The first quotient leaves a rest of less than |y| + 2^13, which divides within 2^-40. Products wrap, as does 2^63.
  const T first = T(double(x) / double(y));
  const int64_t rest = int64_t(uint64_t(x) - uint64_t(first) * uint64_t(y));
  const T near = T(uint64_t(first) + uint64_t(int64_t(double(rest) / double(y))));
  // A divisor of 2^63 or more can leave a rest that no signed number holds; its quotient is 0 or 1.
  if constexpr (std::is_unsigned_v<T>) return int64_t(y) < 0 ? T(x >= y) : near;
  return near;
#else
  return x / y;
#endif
}

template <Part kPart, class T>
HWY_INLINE T divide_any(T x, T y) {
  const uint64_t zero = y == 0;
  if constexpr (std::is_signed_v<T>) {
    const uint64_t negates = y == -1;
    const T safe = T(uint64_t(y) + zero + 2 * negates);
    uint64_t quotient = uint64_t(near_quotient<T>(x, safe));
    int64_t rest = int64_t(uint64_t(x) - quotient * uint64_t(safe));
    const int64_t wanted = kPart == Part::kTruncatedRemainder ? x : safe;
    const uint64_t wrong = uint64_t(rest != 0) & uint64_t((rest ^ wanted) < 0);
    if constexpr (kPart == Part::kFloorQuotient) return T((((quotient - wrong) ^ (0 - negates)) + negates) & (zero - 1));
    // Back by a divisor of the sign that is wanted.
    const uint64_t opposite = 0 - uint64_t((safe ^ wanted) < 0);
    return T(uint64_t(rest) + ((0 - wrong) & ((uint64_t(safe) ^ opposite) - opposite)));
  } else {
    const T safe = y + zero;
    const T quotient = near_quotient<T>(x, safe), rest = x - quotient * safe;
    const uint64_t borrow = uint64_t(int64_t(rest) < 0) & uint64_t(int64_t(safe) >= 0);
    if constexpr (kPart == Part::kFloorQuotient) return (quotient - borrow) & (zero - 1);
    return rest + ((0 - borrow) & safe);
  }
}

// Do all elements lie in [-2^50, 2^50), where widen() is exact?
template <class T>
bool all_exact(const T* x, int64_t n) {
  if constexpr (sizeof(T) == 8) {
    constexpr uint64_t kMiddle = std::is_signed_v<T> ? uint64_t(1) << 50 : 0;
    uint64_t seen = 0;
    for (int64_t i = 0; i < n; ++i) seen |= uint64_t(x[i]) + kMiddle;
    return seen >> (std::is_signed_v<T> ? 51 : 50) == 0;
  } else {
    return true;
  }
}

// The conditions that dividing n elements of x by those of y meets. Apart from the division, so that both vectorise.
template <bool kOverflows, class T>
T met_by(const T* x, const T* y, int64_t y_step, int64_t n) {
  T zero = 0, overflow = 0;
  for (int64_t i = 0; i < n; ++i) zero |= T(y[i * y_step] == 0);
  if constexpr (kOverflows && std::is_signed_v<T>) {
    for (int64_t i = 0; i < n; ++i) overflow |= T(T(y[i * y_step] == -1) & T(x[i] == std::numeric_limits<T>::min()));
  }
  return T((zero ? kDivideByZeroBit : 0) | (overflow ? kOverflowBit : 0));
}

template <Part kPart, class T>
T divide_block(const T* x, const T* y, T* z, int64_t n) {
  const T met = met_by<kPart == Part::kFloorQuotient>(x, y, 1, n);
  if (all_exact(x, n) && all_exact(y, n)) {
    divide_exactly(x, y, z, n, ByEach<kPart, T>());
  } else if constexpr (sizeof(T) == 8) {
    MANYCORE_VECTORISE
    for (int64_t i = 0; i < n; ++i) z[i] = divide_any<kPart>(x[i], y[i]);
  }
  return met;
}

template <Part kPart, class T>
T divide_block(const T* x, T y, T* z, int64_t n) {
  if (y == 0) {
    std::fill_n(z, n, T(0));
    return T(kDivideByZeroBit);
  }
  T met = 0;
  if constexpr (std::is_signed_v<T>) met = y == -1 ? met_by<kPart == Part::kFloorQuotient>(x, &y, 0, n) : T(0);
  if constexpr (std::is_same_v<T, uint8_t> && kPart == Part::kFloorQuotient) {
    // x / y = x * (65536 / y + 1) / 65536: the excess is below 1/256, no quotient is that close below an integer.
    if (y > 1) {
      const auto factor = uint16_t(65536 / y + 1);
      MANYCORE_VECTORISE
      for (int64_t i = 0; i < n; ++i) z[i] = T(uint32_t(x[i]) * factor >> 16);
      return met;
    }
  }
  if (all_exact(x, n) && all_exact(&y, 1)) {
    divide_exactly(x, x, z, n, ByOne<kPart, T>(y));  // the second operand is not looked at
  } else if constexpr (sizeof(T) == 8) {
    MANYCORE_VECTORISE
    for (int64_t i = 0; i < n; ++i) z[i] = divide_any<kPart>(x[i], y);
  }
  return met;
}

constexpr int64_t kBlock = 512;

// The elements as they are where they lie side by side, else gathered.
template <class T>
static const T* gathered(const char* from, int64_t step, int64_t n, T* buffer) {
  if (step == sizeof(T)) return &at<T>(from);
  for (int64_t i = 0; i < n; ++i) buffer[i] = at<T>(from + i * step);
  return buffer;
}

template <Part kPart, class T>
T division_run(char** args, int64_t n, const int64_t* steps) {
  T x[kBlock], y[kBlock], z[kBlock];
  T met = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t part = std::min(kBlock, n - begin);
    const T* left = gathered(args[0] + begin * steps[0], steps[0], part, x);
    char* r = args[2] + begin * steps[2];
    T* result = steps[2] == sizeof(T) ? &at<T>(r) : z;
    if (steps[1] == 0) {
      met |= divide_block<kPart>(left, at<T>(args[1]), result, part);
    } else {
      met |= divide_block<kPart>(left, gathered(args[1] + begin * steps[1], steps[1], part, y), result, part);
    }
    if (result != z) continue;
    for (int64_t i = 0; i < part; ++i) at<T>(r + i * steps[2]) = z[i];
  }
  return met;
}

template <Part kPart, class T>
void division_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  T met;
  {
    const QuietScope quiet;  // the divisions in floating point are no business of the caller's
    met = division_run<kPart, T>(args, dims[0], steps);
  }
  if (met) raise_status(static_cast<unsigned>(met));
}

// Either output may be an input, so both are kept until a block is done.
template <class T>
T divmod_run(char** args, int64_t n, const int64_t* steps) {
  T x[kBlock], y[kBlock], q[kBlock], r[kBlock];
  T met = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t part = std::min(kBlock, n - begin);
    const T* left = gathered(args[0] + begin * steps[0], steps[0], part, x);
    const T* right = gathered(args[1] + begin * steps[1], steps[1], part, y);
    met |= divide_block<Part::kFloorQuotient>(left, right, q, part);
    divide_block<Part::kFloorRemainder>(left, right, r, part);
    for (int64_t i = 0; i < part; ++i) {
      at<T>(args[2] + (begin + i) * steps[2]) = q[i];
      at<T>(args[3] + (begin + i) * steps[3]) = r[i];
    }
  }
  return met;
}

template <class T>
void divmod_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  T met;
  {
    const QuietScope quiet;
    met = divmod_run<T>(args, dims[0], steps);
  }
  if (met) raise_status(static_cast<unsigned>(met));
}

template <class... T>
void divisions(Builder& b, Types<T...>) {
  using op::Op;
  (b.set(Op::floor_divide, slot_of<T>, &division_loop<Part::kFloorQuotient, T>), ...);
  (b.set(Op::remainder, slot_of<T>, &division_loop<Part::kFloorRemainder, T>), ...);
  (b.set(Op::fmod, slot_of<T>, &division_loop<Part::kTruncatedRemainder, T>), ...);
  (b.set(Op::divmod, slot_of<T>, &divmod_loop<T>), ...);
}

void integer_division(Builder& b) {
  b.cost(Cost::kDivision);
  b.integer_errors(kDivideByZeroBit | kOverflowBit);
  divisions(b, Integers{});
}

}  // namespace manycore::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(integer_division);
void fill_integer_division(Builder& builder) { HWY_DYNAMIC_DISPATCH(integer_division)(builder); }
}  // namespace manycore::kernel
#endif
