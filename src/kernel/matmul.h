// Products of matrices without BLAS, one thread: c[i,j] = sum over k of a[i,k] * b[k,j]. Every element adds its products in
// ascending k onto zero and rounds after each step, as NumPy's own loops do (float16 adds in float32 and rounds once; bool is
// OR of AND; integers wrap), so tiling and SIMD level do not show in the bits. Any strides; c may not overlap a or b.
#pragma once

#include <cstddef>
#include <cstdint>

#include "manycore/dtype.h"

namespace manycore::kernel {

struct MatrixProduct {
  const std::byte* a;
  int64_t a_row, a_inner;  // steps in bytes
  const std::byte* b;
  int64_t b_inner, b_column;
  std::byte* c;
  int64_t c_row, c_column;
  int64_t rows, inner, columns;
};

void matmul(DType dtype, const MatrixProduct& product);

}  // namespace manycore::kernel
