// numpy.linalg on the LAPACK that NumPy has loaded, by the calls that NumPy makes, so results have its bits. Leading axes are a
// stack of matrices; stacks of small ones run side by side. float16 is refused as NumPy refuses it, integers and float32 are
// computed in float64 and rounded back for float32, complex64 in complex128. New results, C-contiguous.
// Throws UserError(kLinearAlgebra) with the words of numpy.linalg.LinAlgError, kValue for shapes that do not fit,
// kNotImplemented where has_linalg() is false.
#pragma once

#include "manycore/array.h"

namespace manycore::evaluate {

MANYCORE_API bool has_linalg();

struct SvdResult {
  Array u, s, vh;  // only s when vectors were not asked for
};
MANYCORE_API SvdResult svd(const View& a, bool full_matrices = true, bool compute_vectors = true);

struct EighResult {
  Array values, vectors;  // only values when vectors were not asked for
};
MANYCORE_API EighResult eigh(const View& a, bool upper = false, bool compute_vectors = true);

MANYCORE_API Array solve(const View& a, const View& b);
MANYCORE_API Array inv(const View& a);
MANYCORE_API Array cholesky(const View& a, bool upper = false);

enum class QrMode : uint8_t { kReduced, kComplete, kR };
struct QrResult {
  Array q, r;
};
MANYCORE_API QrResult qr(const View& a, QrMode mode = QrMode::kReduced);

struct SlogdetResult {
  Array sign, logarithm;
};
MANYCORE_API SlogdetResult slogdet(const View& a);
MANYCORE_API Array det(const View& a);

}  // namespace manycore::evaluate
