#include "library/lapack.h"

#include <array>
#include <string>

#include "base/lasting.h"
#include "library/symbols.h"

namespace manycore::library {
namespace {

enum Routine { kGesdd, kSyevd, kGesv, kGetrf, kPotrf, kGeqrf, kOrgqr, kRoutines };
constexpr const char* kRealNames[kRoutines] = {"dgesdd", "dsyevd", "dgesv", "dgetrf", "dpotrf", "dgeqrf", "dorgqr"};
constexpr const char* kComplexNames[kRoutines] = {"zgesdd", "zheevd", "zgesv", "zgetrf", "zpotrf", "zgeqrf", "zungqr"};

struct Table {
  std::array<void*, kRoutines> real{};
  std::array<void*, kRoutines> complex{};
  bool complete = false;

  Table() {
    const LinearAlgebraLibrary& library = linear_algebra_library();
    complete = library.handle && library.wide;
    for (size_t i = 0; complete && i < kRoutines; ++i) {
      real[i] = library.lapack(kRealNames[i]);
      complex[i] = library.lapack(kComplexNames[i]);
      complete = real[i] && complex[i];
    }
  }
};

const Table& table() {
  static constinit base::Lasting<const Table> instance;
  return instance.get();
}

template <class T>
constexpr bool kIsComplex = !std::is_floating_point_v<T>;

// Fortran takes everything by address; info is the last argument.
template <class T, class... Arguments>
int64_t invoke(Routine routine, Arguments... arguments) {
  const LibraryCall call(true);
  void* entry = kIsComplex<T> ? table().complex[routine] : table().real[routine];
  int64_t info = 0;
  reinterpret_cast<void (*)(Arguments..., int64_t*)>(entry)(arguments..., &info);
  return info;
}

}  // namespace

bool has_lapack() { return table().complete; }

template <class T>
int64_t gesdd(char job, int64_t m, int64_t n, T* a, int64_t lda, Real<T>* s, T* u, int64_t ldu, T* vt, int64_t ldvt, T* work,
              int64_t work_size, Real<T>* real_work, int64_t* integer_work) {
  if constexpr (kIsComplex<T>)
    return invoke<T>(kGesdd, &job, &m, &n, a, &lda, s, u, &ldu, vt, &ldvt, work, &work_size, real_work, integer_work);
  else
    return invoke<T>(kGesdd, &job, &m, &n, a, &lda, s, u, &ldu, vt, &ldvt, work, &work_size, integer_work);
}

template <class T>
int64_t syevd(char job, char triangle, int64_t n, T* a, int64_t lda, Real<T>* values, T* work, int64_t work_size,
              Real<T>* real_work, int64_t real_work_size, int64_t* integer_work, int64_t integer_work_size) {
  if constexpr (kIsComplex<T>)
    return invoke<T>(kSyevd, &job, &triangle, &n, a, &lda, values, work, &work_size, real_work, &real_work_size, integer_work,
                     &integer_work_size);
  else
    return invoke<T>(kSyevd, &job, &triangle, &n, a, &lda, values, work, &work_size, integer_work, &integer_work_size);
}

template <class T>
int64_t gesv(int64_t n, int64_t right_sides, T* a, int64_t lda, int64_t* pivots, T* b, int64_t ldb) {
  return invoke<T>(kGesv, &n, &right_sides, a, &lda, pivots, b, &ldb);
}

template <class T>
int64_t getrf(int64_t m, int64_t n, T* a, int64_t lda, int64_t* pivots) {
  return invoke<T>(kGetrf, &m, &n, a, &lda, pivots);
}

template <class T>
int64_t potrf(char triangle, int64_t n, T* a, int64_t lda) {
  return invoke<T>(kPotrf, &triangle, &n, a, &lda);
}

template <class T>
int64_t geqrf(int64_t m, int64_t n, T* a, int64_t lda, T* tau, T* work, int64_t work_size) {
  return invoke<T>(kGeqrf, &m, &n, a, &lda, tau, work, &work_size);
}

template <class T>
int64_t orgqr(int64_t m, int64_t columns, int64_t reflectors, T* a, int64_t lda, const T* tau, T* work, int64_t work_size) {
  return invoke<T>(kOrgqr, &m, &columns, &reflectors, a, &lda, tau, work, &work_size);
}

#define MANYCORE_LAPACK_TYPE(T)                                                                                             \
  template int64_t gesdd<T>(char, int64_t, int64_t, T*, int64_t, Real<T>*, T*, int64_t, T*, int64_t, T*, int64_t, Real<T>*, \
                            int64_t*);                                                                                      \
  template int64_t syevd<T>(char, char, int64_t, T*, int64_t, Real<T>*, T*, int64_t, Real<T>*, int64_t, int64_t*, int64_t); \
  template int64_t gesv<T>(int64_t, int64_t, T*, int64_t, int64_t*, T*, int64_t);                                           \
  template int64_t getrf<T>(int64_t, int64_t, T*, int64_t, int64_t*);                                                       \
  template int64_t potrf<T>(char, int64_t, T*, int64_t);                                                                    \
  template int64_t geqrf<T>(int64_t, int64_t, T*, int64_t, T*, T*, int64_t);                                                \
  template int64_t orgqr<T>(int64_t, int64_t, int64_t, T*, int64_t, const T*, T*, int64_t);
MANYCORE_LAPACK_TYPE(double)
MANYCORE_LAPACK_TYPE(std::complex<double>)
#undef MANYCORE_LAPACK_TYPE

}  // namespace manycore::library
