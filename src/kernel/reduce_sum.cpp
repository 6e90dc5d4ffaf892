// Long file: one pairwise tree serves plain, strided, float16 and complex sums and the deviations of a variance.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/reduce_sum.cpp"
#include <complex>

#include "kernel/dispatch.h"
#include "kernel/reduce-inl.h"
#include "kernel/reduce_tables.h"

MANYCORE_TARGET_BEGIN

namespace hn = hwy::HWY_NAMESPACE;

// 8 numbers of a leaf side by side: one AVX-512 vector of doubles, two of AVX2, four of SSE4. Leaves differ in length, and the
// mispredicted branches between them keep the processor from running ahead in memory: 10M doubles took 4.1 ms without the
// prefetch, 2.2 ms with it.
template <class T>
struct Leaf {
  alignas(64) T lane[8];
  int64_t done;

  Leaf(const T* x, int64_t n) {
    const hn::CappedTag<T, 8> tag;
    constexpr size_t kLanes = hn::MaxLanes(hn::CappedTag<T, 8>());
    constexpr size_t kVectors = 8 / kLanes;
    hn::Vec<hn::CappedTag<T, 8>> accumulator[kVectors];
    for (size_t k = 0; k < kVectors; ++k) accumulator[k] = hn::LoadU(tag, x + k * kLanes);
    prefetch(x);
    for (done = 8; done + 8 <= n; done += 8) {
      prefetch(x + done);
      for (size_t k = 0; k < kVectors; ++k) {
        accumulator[k] = hn::Add(accumulator[k], hn::LoadU(tag, x + done + k * kLanes));
      }
    }
    for (size_t k = 0; k < kVectors; ++k) hn::Store(accumulator[k], tag, lane + k * kLanes);
  }
};

template <class T>
inline T sum_leaf(const T* x, int64_t n) {
  T sum = T(-0.0);
  int64_t i = 0;
  if (n >= 8) {
    const Leaf<T> leaf(x, n);
    const T* r = leaf.lane;
    sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    i = leaf.done;
  }
  for (; i < n; ++i) sum += x[i];
  return sum;
}

// x: real and imaginary parts alternating, n numbers.
template <class T>
inline std::complex<T> sum_complex_leaf(const T* x, int64_t n) {
  T real = T(-0.0), imaginary = T(-0.0);
  int64_t i = 0;
  if (n >= 8) {
    const Leaf<T> leaf(x, n);
    const T* r = leaf.lane;
    real = (r[0] + r[2]) + (r[4] + r[6]);
    imaginary = (r[1] + r[3]) + (r[5] + r[7]);
    i = leaf.done;
  }
  for (; i < n; i += 2) {
    real += x[i];
    imaginary += x[i + 1];
  }
  return {real, imaginary};
}

// Sources give a leaf's numbers as an array: the input itself where it lies contiguous, else computed into `scratch`.
template <class T>
struct Contiguous {
  const T* input;
  const T* numbers(int64_t first, int64_t, T*) const { return input + first; }
};

template <class T>
struct Strided {
  const std::byte* input;
  int64_t stride;
  const T* numbers(int64_t first, int64_t n, T* scratch) const {
    const std::byte* p = input + first * stride;
    for (int64_t i = 0; i < n; ++i, p += stride) {
      prefetch(p);
      scratch[i] = *reinterpret_cast<const T*>(p);
    }
    return scratch;
  }
};

// A strided run of complex elements, counted in numbers.
template <class T>
struct StridedComplex {
  const std::byte* input;
  int64_t stride;
  const T* numbers(int64_t first, int64_t n, T* scratch) const {
    const std::byte* p = input + first / 2 * stride;
    for (int64_t i = 0; i < n; i += 2, p += stride) {
      scratch[i] = reinterpret_cast<const T*>(p)[0];
      scratch[i + 1] = reinterpret_cast<const T*>(p)[1];
    }
    return scratch;
  }
};

struct Halves {
  const std::byte* input;
  int64_t stride;
  const float* numbers(int64_t first, int64_t n, float* scratch) const {
    const std::byte* p = input + first * stride;
    if (stride == sizeof(Half)) {
      const Half* x = reinterpret_cast<const Half*>(p);
      for (int64_t i = 0; i < n; ++i) scratch[i] = half_to_float(x[i]);
    } else {
      for (int64_t i = 0; i < n; ++i, p += stride) scratch[i] = half_to_float(*reinterpret_cast<const Half*>(p));
    }
    return scratch;
  }
};

template <class T>
struct Deviations {
  const std::byte* input;
  int64_t stride;
  T mean;
  const T* numbers(int64_t first, int64_t n, T* scratch) const {
    const std::byte* p = input + first * stride;
    if (stride == sizeof(T)) {
      const T* x = reinterpret_cast<const T*>(p);
      for (int64_t i = 0; i < n; ++i) {
        const T d = x[i] - mean;
        scratch[i] = d * d;
      }
    } else {
      for (int64_t i = 0; i < n; ++i, p += stride) {
        const T d = *reinterpret_cast<const T*>(p) - mean;
        scratch[i] = d * d;
      }
    }
    return scratch;
  }
};

template <class T>
struct ComplexDeviations {
  const std::byte* input;
  int64_t stride;
  T real, imaginary;
  const T* numbers(int64_t first, int64_t n, T* scratch) const {
    const std::byte* p = input + first * stride;
    for (int64_t i = 0; i < n; ++i, p += stride) {
      const T a = reinterpret_cast<const T*>(p)[0] - real;
      const T b = reinterpret_cast<const T*>(p)[1] - imaginary;
      scratch[i] = a * a + b * b;
    }
    return scratch;
  }
};

inline float round_to_half(float value) { return half_to_float(float_to_half(value)); }

struct HalfDeviations {
  const std::byte* input;
  int64_t stride;
  float mean;
  const float* numbers(int64_t first, int64_t n, float* scratch) const {
    const std::byte* p = input + first * stride;
    for (int64_t i = 0; i < n; ++i, p += stride) {
      const float d = round_to_half(half_to_float(*reinterpret_cast<const Half*>(p)) - mean);
      scratch[i] = round_to_half(d * d);
    }
    return scratch;
  }
};

// The tree over numbers [first, first + n).
template <class T, class S>
T sum_tree(const S& source, int64_t first, int64_t n) {
  if (n <= 128) {
    alignas(64) T scratch[128];
    return sum_leaf(source.numbers(first, n, scratch), n);
  }
  int64_t left = n / 2;
  left -= left % 8;
  const T sum = sum_tree<T>(source, first, left);
  return sum + sum_tree<T>(source, first + left, n - left);
}

template <class T, class S>
std::complex<T> sum_complex_tree(const S& source, int64_t first, int64_t n) {
  if (n <= 128) {
    alignas(64) T scratch[128];
    return sum_complex_leaf(source.numbers(first, n, scratch), n);
  }
  int64_t left = n / 2;
  left -= left % 8;
  const std::complex<T> a = sum_complex_tree<T>(source, first, left);
  const std::complex<T> b = sum_complex_tree<T>(source, first + left, n - left);
  return {a.real() + b.real(), a.imag() + b.imag()};
}

template <class T>
inline T pairwise(const std::byte* input, int64_t stride, int64_t n) {
  if (stride == sizeof(T)) return sum_tree<T>(Contiguous<T>{reinterpret_cast<const T*>(input)}, 0, n);
  return sum_tree<T>(Strided<T>{input, stride}, 0, n);
}

template <class T>
inline std::complex<T> pairwise_complex(const std::byte* input, int64_t stride, int64_t n) {
  if (stride == 2 * sizeof(T)) return sum_complex_tree<T>(Contiguous<T>{reinterpret_cast<const T*>(input)}, 0, 2 * n);
  return sum_complex_tree<T>(StridedComplex<T>{input, stride}, 0, 2 * n);
}

template <class T>
void sum_pairwise(std::byte* result, const std::byte* input, int64_t stride, int64_t n) {
  *reinterpret_cast<T*>(result) = pairwise<T>(input, stride, n);
}
template <class T>
void sum_pairwise_complex(std::byte* result, const std::byte* input, int64_t stride, int64_t n) {
  *reinterpret_cast<std::complex<T>*>(result) = pairwise_complex<T>(input, stride, n);
}
void sum_pairwise_half(std::byte* result, const std::byte* input, int64_t stride, int64_t n) {
  *reinterpret_cast<float*>(result) = sum_tree<float>(Halves{input, stride}, 0, n);
}

template <class T>
void sum_run(std::byte* accumulator, const std::byte* input, int64_t stride, int64_t n) {
  if (n < 8) {
    T sum = T(-0.0);
    for (int64_t i = 0; i < n; ++i) sum += *reinterpret_cast<const T*>(input + i * stride);
    *reinterpret_cast<T*>(accumulator) += sum;
    return;
  }
  *reinterpret_cast<T*>(accumulator) += pairwise<T>(input, stride, n);
}
// Rows of N < 8 contiguous elements, as points in space have: with N known the rows overlap in the pipeline.
template <class T, int N>
void sum_short_rows(std::byte* accumulators, int64_t accumulator_stride, const std::byte* input, int64_t runs,
                    int64_t row_stride) {
  for (int64_t i = 0; i < runs; ++i) {
    const T* row = reinterpret_cast<const T*>(input + i * row_stride);
    T sum = T(-0.0);
    for (int j = 0; j < N; ++j) sum += row[j];
    *reinterpret_cast<T*>(accumulators + i * accumulator_stride) += sum;
  }
}
template <class T>
void sum_each(std::byte* accumulators, int64_t accumulator_stride, const std::byte* input, int64_t stride, int64_t n,
              int64_t runs, int64_t row_stride) {
  if (stride == sizeof(T)) {
    switch (n) {
      case 2:
        return sum_short_rows<T, 2>(accumulators, accumulator_stride, input, runs, row_stride);
      case 3:
        return sum_short_rows<T, 3>(accumulators, accumulator_stride, input, runs, row_stride);
      case 4:
        return sum_short_rows<T, 4>(accumulators, accumulator_stride, input, runs, row_stride);
      default:
        break;
    }
  }
  fold_each<&sum_run<T>>(accumulators, accumulator_stride, input, stride, n, runs, row_stride);
}
template <class T>
void sum_run_complex(std::byte* accumulator, const std::byte* input, int64_t stride, int64_t n) {
  const std::complex<T> sum = pairwise_complex<T>(input, stride, n);
  T* parts = reinterpret_cast<T*>(accumulator);
  parts[0] += sum.real();
  parts[1] += sum.imag();
}
void sum_run_half(std::byte* accumulator, const std::byte* input, int64_t stride, int64_t n) {
  Half& half = *reinterpret_cast<Half*>(accumulator);
  half = to_half(half_to_float(half) + sum_tree<float>(Halves{input, stride}, 0, n));
}

template <class T>
void sum_deviations(std::byte* result, const std::byte* input, int64_t stride, int64_t n, const std::byte* mean) {
  *reinterpret_cast<T*>(result) = sum_tree<T>(Deviations<T>{input, stride, *reinterpret_cast<const T*>(mean)}, 0, n);
}
template <class T>
void sum_deviations_complex(std::byte* result, const std::byte* input, int64_t stride, int64_t n, const std::byte* mean) {
  const T* parts = reinterpret_cast<const T*>(mean);
  *reinterpret_cast<T*>(result) = sum_tree<T>(ComplexDeviations<T>{input, stride, parts[0], parts[1]}, 0, n);
}

void sum_deviations_half(std::byte* result, const std::byte* input, int64_t stride, int64_t n, const std::byte* mean) {
  const HalfDeviations source{input, stride, half_to_float(*reinterpret_cast<const Half*>(mean))};
  *reinterpret_cast<float*>(result) = sum_tree<float>(source, 0, n);
}

struct Deviate {
  template <class T>
  T operator()(T a, T x, T mean) const {
    return a + (x - mean) * (x - mean);
  }
  template <class T>
  T operator()(T a, std::complex<T> x, std::complex<T> mean) const {
    const T real = x.real() - mean.real(), imaginary = x.imag() - mean.imag();
    return a + (real * real + imaginary * imaginary);
  }
  Half operator()(Half a, Half x, Half mean) const {
    const float d = round_to_half(half_to_float(x) - half_to_float(mean));
    return float_to_half(half_to_float(a) + round_to_half(d * d));
  }
};

template <class A, class E>
void deviation_rows(std::byte* accumulators, int64_t accumulator_stride, const std::byte* means, int64_t mean_stride,
                    const std::byte* input, int64_t stride, int64_t n, int64_t rows, int64_t row_stride) {
  const bool contiguous = accumulator_stride == sizeof(A) && mean_stride == sizeof(E) && stride == sizeof(E);
  constexpr int64_t kBlock = 1024;
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t count = n - first < kBlock ? n - first : kBlock;
    for (int64_t i = 0; i < rows; ++i) {
      const std::byte* row = input + i * row_stride + first * stride;
      std::byte* sums = accumulators + first * accumulator_stride;
      const std::byte* centres = means + first * mean_stride;
      if (contiguous) {
        A* acc = reinterpret_cast<A*>(sums);
        const E* x = reinterpret_cast<const E*>(row);
        const E* mean = reinterpret_cast<const E*>(centres);
#pragma GCC ivdep
        for (int64_t j = 0; j < count; ++j) acc[j] = Deviate{}(acc[j], x[j], mean[j]);
        continue;
      }
      for (int64_t j = 0; j < count; ++j) {
        A& acc = *reinterpret_cast<A*>(sums + j * accumulator_stride);
        acc =
            Deviate{}(acc, *reinterpret_cast<const E*>(row + j * stride), *reinterpret_cast<const E*>(centres + j * mean_stride));
      }
    }
  }
}

struct Add {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a + b);
  }
};
// Integers wrap: unsigned arithmetic serves both signs. `a` is the 64-bit accumulator.
struct AddInteger {
  template <class E>
  uint64_t operator()(uint64_t a, E b) const {
    return a + static_cast<uint64_t>(static_cast<int64_t>(b));
  }
};
struct AddWrapping {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  }
};
struct AddTruth {
  uint8_t operator()(uint8_t a, uint8_t b) const { return static_cast<uint8_t>((a | b) != 0); }
};

// Contiguous complex rows are rows of twice as many numbers.
template <class T>
void sum_rows_complex(std::byte* accumulators, int64_t accumulator_stride, const std::byte* input, int64_t stride, int64_t n,
                      int64_t rows, int64_t row_stride) {
  if (accumulator_stride == 2 * sizeof(T) && stride == 2 * sizeof(T)) {
    fold_rows<T, T, Add>(accumulators, sizeof(T), input, sizeof(T), 2 * n, rows, row_stride);
  } else {
    fold_rows<T, T, Add>(accumulators, accumulator_stride, input, stride, n, rows, row_stride);
    fold_rows<T, T, Add>(accumulators + sizeof(T), accumulator_stride, input + sizeof(T), stride, n, rows, row_stride);
  }
}

static const SumTable& sum_table() {
  static constexpr SumTable kTable = {
      {fold_loops<uint8_t, uint8_t, AddTruth>(true),
       fold_loops<uint8_t, uint8_t, AddWrapping>(true),
       fold_loops<uint16_t, uint16_t, AddWrapping>(true),
       fold_loops<uint32_t, uint32_t, AddWrapping>(true),
       fold_loops<uint64_t, uint64_t, AddWrapping>(true),
       fold_loops<uint8_t, uint8_t, AddWrapping>(true),
       fold_loops<uint16_t, uint16_t, AddWrapping>(true),
       fold_loops<uint32_t, uint32_t, AddWrapping>(true),
       fold_loops<uint64_t, uint64_t, AddWrapping>(true),
       {&sum_run_half, &fold_half_rows<Add>, &fold_each<&sum_run_half>, false},
       {&sum_run<float>, &fold_rows<float, float, Add>, &sum_each<float>, false},
       {&sum_run<double>, &fold_rows<double, double, Add>, &sum_each<double>, false},
       {&sum_run_complex<float>, &sum_rows_complex<float>, &fold_each<&sum_run_complex<float>>, false},
       {&sum_run_complex<double>, &sum_rows_complex<double>, &fold_each<&sum_run_complex<double>>, false}},
      {fold_loops<uint64_t, uint8_t, AddInteger>(true), fold_loops<uint64_t, int8_t, AddInteger>(true),
       fold_loops<uint64_t, int16_t, AddInteger>(true), fold_loops<uint64_t, int32_t, AddInteger>(true),
       fold_loops<uint64_t, int64_t, AddInteger>(true), fold_loops<uint64_t, uint8_t, AddInteger>(true),
       fold_loops<uint64_t, uint16_t, AddInteger>(true), fold_loops<uint64_t, uint32_t, AddInteger>(true),
       fold_loops<uint64_t, uint64_t, AddInteger>(true)},
      {&sum_pairwise_half, &sum_pairwise<float>, &sum_pairwise<double>, &sum_pairwise_complex<float>,
       &sum_pairwise_complex<double>},
      {&sum_deviations_half, &sum_deviations<float>, &sum_deviations<double>, &sum_deviations_complex<float>,
       &sum_deviations_complex<double>},
      {&deviation_rows<Half, Half>, &deviation_rows<float, float>, &deviation_rows<double, double>,
       &deviation_rows<float, std::complex<float>>, &deviation_rows<double, std::complex<double>>}};
  return kTable;
}

MANYCORE_TARGET_END

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(sum_table);
const SumTable& find_sum_table() { return HWY_DYNAMIC_DISPATCH(sum_table)(); }
}  // namespace manycore::kernel
#endif
