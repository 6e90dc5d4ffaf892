#include "kernel/scan.h"

#include <complex>
#include <type_traits>

#include "kernel/half.h"

namespace manycore::kernel {
namespace {

template <class T>
inline constexpr bool is_complex_type = false;
template <class T>
inline constexpr bool is_complex_type<std::complex<T>> = true;

template <class T>
bool is_nan(T a) {
  if constexpr (is_complex_type<T>)
    return a.real() != a.real() || a.imag() != a.imag();
  else
    return a != a;
}
template <class T>
bool less_equal(T a, T b) {
  if constexpr (is_complex_type<T>)
    return (a.real() < b.real() && a.imag() == a.imag() && b.imag() == b.imag()) ||
           (a.real() == b.real() && a.imag() <= b.imag());
  else
    return a <= b;
}

struct Add {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    else
      return a + b;
  }
};
struct Multiply {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    else
      return a * b;
  }
  template <class T>
  std::complex<T> operator()(std::complex<T> a, std::complex<T> b) const {
    return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
  }
};
struct Min {
  template <class T>
  T operator()(T a, T b) const {
    return (less_equal(a, b) || is_nan(a)) ? a : b;
  }
};
struct Max {
  template <class T>
  T operator()(T a, T b) const {
    return (less_equal(b, a) || is_nan(a)) ? a : b;
  }
};
struct Fmin {
  template <class T>
  T operator()(T a, T b) const {
    return (less_equal(a, b) || is_nan(b)) ? a : b;
  }
};
struct Fmax {
  template <class T>
  T operator()(T a, T b) const {
    return (less_equal(b, a) || is_nan(b)) ? a : b;
  }
};
struct And {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a & b);
  }
};
struct Or {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a | b);
  }
};
struct Xor {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a ^ b);
  }
};

// float16: every step in float32, rounded.
template <class T, class F>
T apply(T a, T b) {
  if constexpr (std::is_same_v<T, Half>)
    return to_half(F{}(half_to_float(a), half_to_float(b)));
  else
    return F{}(a, b);
}

template <class T, class F>
void scan_run(std::byte* state, std::byte* output, int64_t output_stride, const std::byte* input, int64_t input_stride,
              int64_t n) {
  T value = *reinterpret_cast<T*>(state);
  if (output_stride == sizeof(T) && input_stride == sizeof(T)) {
    const T* x = reinterpret_cast<const T*>(input);
    T* y = reinterpret_cast<T*>(output);
    for (int64_t i = 0; i < n; ++i) y[i] = value = apply<T, F>(value, x[i]);
  } else {
    for (int64_t i = 0; i < n; ++i, output += output_stride, input += input_stride) {
      value = apply<T, F>(value, *reinterpret_cast<const T*>(input));
      *reinterpret_cast<T*>(output) = value;
    }
  }
  *reinterpret_cast<T*>(state) = value;
}

template <class T, class F>
void scan_row(std::byte* output, int64_t output_stride, const std::byte* previous, int64_t previous_stride,
              const std::byte* input, int64_t input_stride, int64_t n) {
  if (output_stride == sizeof(T) && previous_stride == sizeof(T) && input_stride == sizeof(T)) {
    const T* a = reinterpret_cast<const T*>(previous);
    const T* b = reinterpret_cast<const T*>(input);
    T* y = reinterpret_cast<T*>(output);
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) y[j] = apply<T, F>(a[j], b[j]);
    return;
  }
  for (int64_t j = 0; j < n; ++j) {
    *reinterpret_cast<T*>(output + j * output_stride) = apply<T, F>(*reinterpret_cast<const T*>(previous + j * previous_stride),
                                                                    *reinterpret_cast<const T*>(input + j * input_stride));
  }
}

template <class F, class... T>
struct ScanTable {
  static constexpr ScanLoops kLoops[] = {{&scan_run<T, F>, &scan_row<T, F>}...};
};
// Signs matter for order only: int64_t and uint64_t share wrapping arithmetic but not comparisons. bool runs as uint8.
template <class F>
using Numbers = ScanTable<F, uint8_t, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, Half, float,
                          double, std::complex<float>, std::complex<double>>;
template <class F>
using Integers = ScanTable<F, uint8_t, uint8_t, uint16_t, uint32_t, uint64_t, uint8_t, uint16_t, uint32_t, uint64_t>;

}  // namespace

const ScanLoops* find_scan(Reduction reduction, DType dtype) {
  const int i = static_cast<int>(dtype);
  const bool integral = dtype <= DType::kUInt64, boolean = dtype == DType::kBool;
  switch (reduction) {
    case Reduction::kSum:
      return boolean ? Integers<Or>::kLoops : &Numbers<Add>::kLoops[i];
    case Reduction::kProd:
      return boolean ? Integers<And>::kLoops : &Numbers<Multiply>::kLoops[i];
    case Reduction::kMin:
      return &Numbers<Min>::kLoops[i];
    case Reduction::kMax:
      return &Numbers<Max>::kLoops[i];
    case Reduction::kFmin:
      return &Numbers<Fmin>::kLoops[i];
    case Reduction::kFmax:
      return &Numbers<Fmax>::kLoops[i];
    case Reduction::kBitwiseAnd:
      return integral ? &Integers<And>::kLoops[i] : nullptr;
    case Reduction::kBitwiseOr:
      return integral ? &Integers<Or>::kLoops[i] : nullptr;
    case Reduction::kBitwiseXor:
      return integral ? &Integers<Xor>::kLoops[i] : nullptr;
    case Reduction::kAll:
      return boolean ? Integers<And>::kLoops : nullptr;
    case Reduction::kAny:
      return boolean ? Integers<Or>::kLoops : nullptr;
    case Reduction::kLogicalXor:
      return boolean ? Integers<Xor>::kLoops : nullptr;
    default:
      return nullptr;
  }
}

}  // namespace manycore::kernel
