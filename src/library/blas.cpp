#include "library/blas.h"

#include <complex>
#include <limits>
#include <type_traits>

#include "base/check.h"
#include "base/lasting.h"
#include "library/symbols.h"

namespace manycore::library {
namespace {

enum Routine { kGemm, kGemv, kSyrk, kDot, kAxpy, kRoutines };
constexpr int kTypes = 4;  // s d c z

struct Table {
  void* entries[kTypes][kRoutines] = {};
  bool wide = false;
  bool complete = false;

  Table() {
    const LinearAlgebraLibrary& library = linear_algebra_library();
    constexpr const char* kNames[kRoutines] = {"gemm", "gemv", "syrk", "dot", "axpy"};
    complete = library.handle != nullptr;
    wide = library.wide;
    for (int type = 0; type < kTypes; ++type) {
      for (int routine = 0; routine < kRoutines; ++routine) {
        std::string name = "sdcz"[type] + std::string(kNames[routine]);
        // A complex dot returns through a pointer, so that no two compilers disagree about registers.
        if (routine == kDot && type >= 2) name += "u_sub";
        entries[type][routine] = library.cblas(name);
        complete = complete && entries[type][routine];
      }
    }
  }
};

const Table& table() {
  static constinit base::Lasting<const Table> instance;
  return instance.get();
}

template <class T>
constexpr int kTypeIndex = std::is_same_v<T, float>                 ? 0
                           : std::is_same_v<T, double>              ? 1
                           : std::is_same_v<T, std::complex<float>> ? 2
                                                                    : 3;

template <class T>
constexpr bool kIsComplex = !std::is_floating_point_v<T>;

template <class A>
using Narrow = std::conditional_t<std::is_same_v<A, int64_t>, int32_t, A>;

// Operations below which OpenBLAS starts no thread for a vector (10000 elements) or a matrix times a vector (9216).
constexpr int64_t kOneThread = 8192;

// Calls a routine with integers of the library's width; callers pass them as int64_t, enumerators as int.
template <class R, class T, class... Arguments>
R invoke(Routine routine, bool guarded, Arguments... arguments) {
  const Table& all = table();
  MANYCORE_DCHECK(all.complete);
  const LibraryCall call(guarded);
  void* entry = all.entries[kTypeIndex<T>][routine];
  if (all.wide) return reinterpret_cast<R (*)(Arguments...)>(entry)(arguments...);
  return reinterpret_cast<R (*)(Narrow<Arguments>...)>(entry)(static_cast<Narrow<Arguments>>(arguments)...);
}

// alpha and beta travel by value for real types and by address for complex ones.
template <class T>
auto factor(const T& value) {
  if constexpr (kIsComplex<T>)
    return static_cast<const void*>(&value);
  else
    return value;
}

template <class T>
const T kOne = T(1);
template <class T>
const T kZero = T(0);

}  // namespace

bool has_blas() { return table().complete; }

int64_t max_extent() { return table().wide ? std::numeric_limits<int64_t>::max() - 1 : std::numeric_limits<int32_t>::max() - 1; }

template <class T>
void gemm(Layout layout, Transpose a_side, Transpose b_side, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* b,
          int64_t ldb, T* c, int64_t ldc) {
  invoke<void, T>(kGemm, true, static_cast<int>(layout), static_cast<int>(a_side), static_cast<int>(b_side), m, n, k,
                  factor(kOne<T>), static_cast<const void*>(a), lda, static_cast<const void*>(b), ldb, factor(kZero<T>),
                  static_cast<void*>(c), ldc);
}

template <class T>
void gemv(Layout layout, Transpose side, int64_t m, int64_t n, const T* a, int64_t lda, const T* x, int64_t x_step, T* y,
          int64_t y_step) {
  invoke<void, T>(kGemv, m * n > kOneThread, static_cast<int>(layout), static_cast<int>(side), m, n, factor(kOne<T>),
                  static_cast<const void*>(a), lda, static_cast<const void*>(x), x_step, factor(kZero<T>), static_cast<void*>(y),
                  y_step);
}

template <class T>
void syrk(Layout layout, Transpose side, int64_t n, int64_t k, const T* a, int64_t lda, T* c, int64_t ldc) {
  constexpr int kUpper = 121;
  invoke<void, T>(kSyrk, true, static_cast<int>(layout), kUpper, static_cast<int>(side), n, k, factor(kOne<T>),
                  static_cast<const void*>(a), lda, factor(kZero<T>), static_cast<void*>(c), ldc);
}

template <class T>
T dot(int64_t n, const T* x, int64_t x_step, const T* y, int64_t y_step) {
  if constexpr (kIsComplex<T>) {
    T result;
    invoke<void, T>(kDot, n > kOneThread, n, static_cast<const void*>(x), x_step, static_cast<const void*>(y), y_step,
                    static_cast<void*>(&result));
    return result;
  } else {
    return invoke<T, T>(kDot, n > kOneThread, n, static_cast<const void*>(x), x_step, static_cast<const void*>(y), y_step);
  }
}

template <class T>
void axpy(int64_t n, T alpha, const T* x, int64_t x_step, T* y, int64_t y_step) {
  invoke<void, T>(kAxpy, n > kOneThread, n, factor(alpha), static_cast<const void*>(x), x_step, static_cast<void*>(y), y_step);
}

#define MANYCORE_BLAS_TYPE(T)                                                                                              \
  template void gemm<T>(Layout, Transpose, Transpose, int64_t, int64_t, int64_t, const T*, int64_t, const T*, int64_t, T*, \
                        int64_t);                                                                                          \
  template void gemv<T>(Layout, Transpose, int64_t, int64_t, const T*, int64_t, const T*, int64_t, T*, int64_t);           \
  template void syrk<T>(Layout, Transpose, int64_t, int64_t, const T*, int64_t, T*, int64_t);                              \
  template T dot<T>(int64_t, const T*, int64_t, const T*, int64_t);                                                        \
  template void axpy<T>(int64_t, T, const T*, int64_t, T*, int64_t);
MANYCORE_BLAS_TYPE(float)
MANYCORE_BLAS_TYPE(double)
MANYCORE_BLAS_TYPE(std::complex<float>)
MANYCORE_BLAS_TYPE(std::complex<double>)
#undef MANYCORE_BLAS_TYPE

}  // namespace manycore::library
