#include "evaluate/linalg_stack.h"

#include "evaluate/linalg.h"

namespace manycore::evaluate {

bool has_linalg() { return library::has_lapack(); }

namespace linalg {

Types common_types(std::initializer_list<DType> dtypes) {
  bool complex = false;
  bool wide = false;
  for (DType dtype : dtypes) {
    if (dtype == DType::kFloat16) throw UserError(ErrorKind::kType, "array type float16 is unsupported in linalg");
    complex = complex || is_complex(dtype);
    wide = wide || (dtype != DType::kFloat32 && dtype != DType::kComplex64);
  }
  if (complex) return {DType::kComplex128, wide ? DType::kComplex128 : DType::kComplex64};
  return {DType::kFloat64, wide ? DType::kFloat64 : DType::kFloat32};
}

void fail(const char* words) { throw UserError(ErrorKind::kLinearAlgebra, words); }

void check_matrices(const View& a) {
  if (a.ndim() < 2) fail((std::to_string(a.ndim()) + "-dimensional array given. Array must be at least two-dimensional").c_str());
}

void check_square(const View& a) {
  check_matrices(a);
  if (rows_of(a) != columns_of(a)) fail("Last 2 dimensions of the array must be square");
}

void check_library(const char* operation) {
  if (has_linalg()) return;
  throw UserError(ErrorKind::kNotImplemented, std::string(operation) +
                                                  ": no LAPACK with 64-bit integers is loaded; try importing numpy first, or "
                                                  "set the option blas to the path of an OpenBLAS");
}

Dims stack_of(const View& a) { return Dims(std::span<const int64_t>(a.shape.data(), static_cast<size_t>(a.ndim() - 2))); }

Dims joined(Dims stack, std::initializer_list<int64_t> core) {
  for (int64_t extent : core) stack.push_back(extent);
  return stack;
}

int64_t count_of(const Dims& stack) {
  int64_t count = 1;
  for (int64_t extent : stack) count *= extent;
  return count;
}

Array column_major(const Dims& stack, int64_t rows, int64_t columns, DType dtype) {
  Array array = Array::empty(joined(stack, {columns, rows}), dtype);
  Dims permutation(array.ndim());
  for (int axis = 0; axis < array.ndim(); ++axis) permutation[axis] = axis;
  std::swap(permutation[array.ndim() - 1], permutation[array.ndim() - 2]);
  return array.transpose(permutation);
}

Array to_column_major(const View& a, DType dtype) {
  Array array = column_major(stack_of(a), rows_of(a), columns_of(a), dtype);
  assign(array.view(), a, Casting::kUnsafe);
  return array;
}

void make_identity(const Array& stack) {
  fill(stack.view(), Scalar::real(0));
  View diagonal = stack.view();
  int last = diagonal.ndim() - 1;
  diagonal.shape[last - 1] = std::min(diagonal.shape[last - 1], diagonal.shape[last]);
  diagonal.strides[last - 1] += diagonal.strides[last];
  diagonal.shape.erase(last);
  diagonal.strides.erase(last);
  fill(diagonal, Scalar::real(1));
}

Array to_result(const Array& computed, DType dtype) {
  Array result = Array::empty(computed.shape(), dtype);
  assign(result.view(), computed.view(), Casting::kUnsafe);
  return result;
}

}  // namespace linalg
}  // namespace manycore::evaluate
