// Products of matrices and vectors through BLAS (library/blas.h) where the dtype is float32/64 or complex64/128, through our
// own blocked kernel otherwise. With NumPy's own OpenBLAS loaded the calls are the ones NumPy makes (gemm, gemv, syrk for
// A @ A.T, dot), so results have its bits.
#pragma once

#include "evaluate/elementwise.h"
#include "manycore/array.h"

namespace manycore::evaluate {

// numpy.matmul: stacks of matrices broadcast, one-dimensional operands promoted and dropped again.
MANYCORE_API Array matmul(const View& a, const View& b, const ElementwiseOptions& options = {});
// numpy.dot: last axis of a with the second-to-last of b.
MANYCORE_API Array dot(const View& a, const View& b, const ElementwiseOptions& options = {});

}  // namespace manycore::evaluate
