// One product of two matrices, the way NumPy's matmul loop computes it: through BLAS (gemv, gemm, syrk or dot) where the layout
// allows, after copying an operand that BLAS cannot take, else in the plain loop. Operands have the result's dtype, are aligned
// and do not overlap the result.
#pragma once

#include <algorithm>

#include "manycore/view.h"
#include "sched/parallel.h"

namespace manycore::evaluate {

// A matrix of a stack, as BLAS sees it. What takes a division is worked out once and holds for the whole stack: the product of two
// 4 x 4 matrices lasts as long as three divisions.
struct Matrix {
  std::byte* data;
  int64_t rows, columns;
  int64_t row_step, column_step;          // bytes
  int64_t size;                           // of an element
  int64_t row_distance, column_distance;  // the steps in elements
  bool has_rows, has_columns;             // contiguous ones, that BLAS takes

  explicit Matrix(const View& view);
  bool rows_fit() const { return has_rows; }
  bool columns_fit() const { return has_columns; }
  bool fits() const { return has_rows || has_columns; }
  bool lines_fit(int64_t line_step, int64_t element_step, int64_t length) const;
  int64_t leading() const { return has_rows ? row_distance : column_distance; }  // between contiguous lines, in elements
  Matrix transposed() const;
  Matrix at(std::byte* other) const {
    Matrix matrix = *this;
    matrix.data = other;
    return matrix;
  }
  View view(DType dtype) const;
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data);
  }
};

// The routine is chosen once, for one product or for every product of a stack. a is (rows, inner), b (inner, columns), c (rows,
// columns): all two-dimensional.
class Multiplication {
 public:
  Multiplication(const View& a, const View& b, const View& c);
  void run(std::byte* a, std::byte* b, std::byte* c) const;  // matrices elsewhere with the same layout, on this thread
  void run_parallel(unsigned* status, sched::Interrupts interrupts) const;  // the matrices given, on all cores

 private:
  enum class Routine { kPlain, kDot, kVectorMatrix, kMatrixVector, kGemm, kGemmOnCopies };
  void choose_gemm();
  void run_gemm(const std::byte* a, const std::byte* b, std::byte* c) const;  // a and b in the order of a_ and b_
  template <class T>
  void run_blas(const Matrix& a, const Matrix& b, const Matrix& c) const;

  Matrix a_, b_, c_;  // for gemm perhaps the transposed product's
  DType dtype_;
  Routine routine_;
  bool flipped_ = false;
};

// c[...] = sum of x*y over vectors with steps in bytes, as NumPy's dot function of the dtype: BLAS in chunks where it takes the
// steps, else one after the other.
void multiply_vectors(DType dtype, const std::byte* x, int64_t x_step, const std::byte* y, int64_t y_step, std::byte* c,
                      int64_t count);

// What syrk leaves out: the lower triangle of a symmetric c, by rows.
template <class T>
void mirror_upper_triangle(T* c, int64_t n, int64_t ldc) {
  constexpr int64_t kBlock = 32;  // both triangles stay in the first-level cache
  for (int64_t i0 = 0; i0 < n; i0 += kBlock)
    for (int64_t j0 = i0; j0 < n; j0 += kBlock)
      for (int64_t i = i0; i < std::min(n, i0 + kBlock); ++i)
        for (int64_t j = std::max(j0, i + 1); j < std::min(n, j0 + kBlock); ++j) c[j * ldc + i] = c[i * ldc + j];
}

}  // namespace manycore::evaluate
