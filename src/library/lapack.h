// The door to LAPACK: the routines behind numpy.linalg, for float64 and complex128 (NumPy computes the smaller types in these).
// Matrices are column-major. Offered only where the library's integers have 64 bits, as in NumPy's wheels; callers ask
// has_lapack() first. Every routine returns LAPACK's info: 0 is success. A work size of -1 asks for the best size, which comes
// back in the first element of the work arrays. Thread-safe.
#pragma once

#include <complex>
#include <cstdint>

namespace manycore::library {

bool has_lapack();

template <class T>
struct RealPart {
  using Type = T;
};
template <class R>
struct RealPart<std::complex<R>> {
  using Type = R;
};
template <class T>
using Real = typename RealPart<T>::Type;

// a (m x n) = u diag(s) vt. The real routine has no real_work.
template <class T>
int64_t gesdd(char job, int64_t m, int64_t n, T* a, int64_t lda, Real<T>* s, T* u, int64_t ldu, T* vt, int64_t ldvt, T* work,
              int64_t work_size, Real<T>* real_work, int64_t* integer_work);
// Eigenvalues (job 'V': and vectors, in place of a) of a symmetric or Hermitian matrix of which one triangle is read.
template <class T>
int64_t syevd(char job, char triangle, int64_t n, T* a, int64_t lda, Real<T>* values, T* work, int64_t work_size,
              Real<T>* real_work, int64_t real_work_size, int64_t* integer_work, int64_t integer_work_size);
// b becomes x with a x = b; a becomes its factors.
template <class T>
int64_t gesv(int64_t n, int64_t right_sides, T* a, int64_t lda, int64_t* pivots, T* b, int64_t ldb);
template <class T>
int64_t getrf(int64_t m, int64_t n, T* a, int64_t lda, int64_t* pivots);
template <class T>
int64_t potrf(char triangle, int64_t n, T* a, int64_t lda);
template <class T>
int64_t geqrf(int64_t m, int64_t n, T* a, int64_t lda, T* tau, T* work, int64_t work_size);
// The first `columns` columns of Q from `reflectors` columns that geqrf left in a.
template <class T>
int64_t orgqr(int64_t m, int64_t columns, int64_t reflectors, T* a, int64_t lda, const T* tau, T* work, int64_t work_size);

}  // namespace manycore::library
