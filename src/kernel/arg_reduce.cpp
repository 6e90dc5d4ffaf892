#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/arg_reduce.cpp"
#include "kernel/arg_reduce.h"

#include <complex>
#include <type_traits>

#include "kernel/dispatch.h"
#include "type/half.h"

MANYCORE_TARGET_BEGIN

template <class T>
inline bool is_nan(T a) {
  return a != a;
}
template <class T>
inline bool is_nan(std::complex<T> a) {
  return a.real() != a.real() || a.imag() != a.imag();
}
inline bool is_nan(Half a) { return (a.bits & 0x7fff) > 0x7c00; }

template <class T>
inline bool less(T a, T b) {
  return a < b;
}
template <class T>
inline bool less(std::complex<T> a, std::complex<T> b) {
  return a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
}
inline bool less(Half a, Half b) { return half_to_float(a) < half_to_float(b); }

template <class T, bool kMaximum>
inline bool beats(T best, T candidate) {
  // A complex best that is NaN in one part may still compare: NaN stays.
  return !is_nan(best) && ((kMaximum ? less(best, candidate) : less(candidate, best)) || is_nan(candidate));
}

// bool runs as uint8.
template <class T>
inline constexpr DType kDType = DType::kUInt8;
#define MANYCORE_KERNEL_DTYPE(type, name) \
  template <>                             \
  inline constexpr DType kDType<type> = DType::name;
MANYCORE_KERNEL_DTYPE(int8_t, kInt8)
MANYCORE_KERNEL_DTYPE(int16_t, kInt16)
MANYCORE_KERNEL_DTYPE(int32_t, kInt32)
MANYCORE_KERNEL_DTYPE(int64_t, kInt64)
MANYCORE_KERNEL_DTYPE(uint16_t, kUInt16)
MANYCORE_KERNEL_DTYPE(uint32_t, kUInt32)
MANYCORE_KERNEL_DTYPE(uint64_t, kUInt64)
MANYCORE_KERNEL_DTYPE(Half, kFloat16)
MANYCORE_KERNEL_DTYPE(float, kFloat32)
MANYCORE_KERNEL_DTYPE(double, kFloat64)
MANYCORE_KERNEL_DTYPE(std::complex<float>, kComplex64)
MANYCORE_KERNEL_DTYPE(std::complex<double>, kComplex128)
#undef MANYCORE_KERNEL_DTYPE

template <class T>
inline T element(const std::byte* p) {
  return *reinterpret_cast<const T*>(p);
}

template <class T, bool kMaximum>
int64_t arg_scan(const std::byte* input, int64_t stride, int64_t n) {
  int64_t position = 0;
  T best = element<T>(input);
  for (int64_t i = 1; i < n; ++i) {  // selects instead of branches: rows are often short and their order random
    const T candidate = element<T>(input + i * stride);
    const bool takes = beats<T, kMaximum>(best, candidate);
    best = takes ? candidate : best;
    position = takes ? i : position;
  }
  return position;
}

// The first element of a contiguous run that equals `wanted`, or is NaN when that is; it is there.
template <class T>
int64_t find_first(const T* x, int64_t n, T wanted) {
  if constexpr (std::is_arithmetic_v<T>) {
    if (!is_nan(wanted)) {
      constexpr int64_t kStep = 64;
      int64_t first = 0;
      for (; first + kStep <= n; first += kStep) {
        T found = 0;
        for (int64_t i = 0; i < kStep; ++i) found = x[first + i] == wanted ? T(1) : found;
        if (found != 0) break;
      }
      while (x[first] != wanted) ++first;
      return first;
    }
  }
  int64_t first = 0;
  while (is_nan(wanted) ? !is_nan(x[first]) : less(x[first], wanted) || less(wanted, x[first])) ++first;
  return first;
}

// Contiguous: the extreme of each block by the SIMD loop; only the winning block is searched for the position.
template <class T, bool kMaximum>
int64_t arg_run(const std::byte* input, int64_t stride, int64_t n) {
  constexpr int64_t kBlock = 2048;
  if (stride != sizeof(T) || n < 8) return arg_scan<T, kMaximum>(input, stride, n);
  const auto extreme = find_reduction(kMaximum ? Reduction::kMax : Reduction::kMin, kDType<T>, kDType<T>)->run;
  int64_t winner = 0;
  T best = element<T>(input);
  for (int64_t first = 0; first < n && !is_nan(best); first += kBlock) {
    const std::byte* block = input + first * static_cast<int64_t>(sizeof(T));
    T value = element<T>(block);
    extreme(reinterpret_cast<std::byte*>(&value), block, stride, n - first < kBlock ? n - first : kBlock);
    if (beats<T, kMaximum>(best, value)) {
      best = value;
      winner = first;
    }
  }
  const int64_t count = n - winner < kBlock ? n - winner : kBlock;
  return winner + find_first(reinterpret_cast<const T*>(input) + winner, count, best);
}

template <class T, bool kMaximum>
bool arg_replaces(const std::byte* best, const std::byte* candidate) {
  return beats<T, kMaximum>(element<T>(best), element<T>(candidate));
}

template <class T, bool kMaximum>
void arg_row(std::byte* best, int64_t* positions, const std::byte* row, int64_t stride, int64_t n, int64_t position) {
  T* values = reinterpret_cast<T*>(best);
  if (stride == sizeof(T)) {
    const T* x = reinterpret_cast<const T*>(row);
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) {
      const bool takes = beats<T, kMaximum>(values[j], x[j]);
      values[j] = takes ? x[j] : values[j];
      positions[j] = takes ? position : positions[j];
    }
    return;
  }
  for (int64_t j = 0; j < n; ++j) {
    const T candidate = element<T>(row + j * stride);
    if (!beats<T, kMaximum>(values[j], candidate)) continue;
    values[j] = candidate;
    positions[j] = position;
  }
}

template <bool kMaximum, class... T>
struct ArgTable {
  static constexpr ArgLoops kLoops[] = {{&arg_run<T, kMaximum>, &arg_replaces<T, kMaximum>, &arg_row<T, kMaximum>}...};
};
template <bool kMaximum>
using AllArgs = ArgTable<kMaximum, uint8_t, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, Half, float,
                         double, std::complex<float>, std::complex<double>>;

static const ArgLoops* arg_table(bool maximum) { return maximum ? AllArgs<true>::kLoops : AllArgs<false>::kLoops; }

MANYCORE_TARGET_END

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(arg_table);
const ArgLoops& find_arg(Reduction reduction, DType dtype) {
  return HWY_DYNAMIC_DISPATCH(arg_table)(reduction == Reduction::kArgmax)[static_cast<int>(dtype)];
}
}  // namespace manycore::kernel
#endif
