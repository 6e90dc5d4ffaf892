// The door to BLAS: the few routines that NumPy's products call, for float32/64 and complex64/128. alpha is 1 and beta 0
// everywhere, results are written, not added. Callers ask has_blas() first, and keep every extent within kMaxExtent.
// Thread-safe; the library runs its own threads (see library/symbols.h).
#pragma once

#include <cstdint>

namespace manycore::library {

enum class Layout : int { kRowMajor = 101, kColumnMajor = 102 };
enum class Transpose : int { kNo = 111, kYes = 112 };

bool has_blas();
int64_t max_extent();  // NumPy's BLAS_MAXSIZE for the width of the library's integers

// c (m x n) = op(a) (m x k) @ op(b) (k x n)
template <class T>
void gemm(Layout layout, Transpose a_side, Transpose b_side, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* b,
          int64_t ldb, T* c, int64_t ldc);
// y = op(a) @ x, where a is m x n before op
template <class T>
void gemv(Layout layout, Transpose side, int64_t m, int64_t n, const T* a, int64_t lda, const T* x, int64_t x_step, T* y,
          int64_t y_step);
// upper triangle of c (n x n) = op(a) @ op(a)^T, op(a) is n x k
template <class T>
void syrk(Layout layout, Transpose side, int64_t n, int64_t k, const T* a, int64_t lda, T* c, int64_t ldc);
// sum of x*y, not conjugated
template <class T>
T dot(int64_t n, const T* x, int64_t x_step, const T* y, int64_t y_step);
// y += alpha * x
template <class T>
void axpy(int64_t n, T alpha, const T* x, int64_t x_step, T* y, int64_t y_step);

}  // namespace manycore::library
