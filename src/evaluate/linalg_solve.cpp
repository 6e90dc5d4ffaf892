#include <atomic>
#include <cmath>
#include <limits>

#include "evaluate/linalg.h"
#include "evaluate/linalg_stack.h"
#include "trace/counters.h"

namespace manycore::evaluate {
namespace {

using namespace linalg;
using Complex = std::complex<double>;

template <class T>
void run_solve(const Array& a, const Array& b, int64_t count) {
  int64_t n = rows_of(a.view()), sides = columns_of(b.view());
  std::atomic<bool> singular{false};
  for_stack(count, n * n * (n + sides), [&](int64_t begin, int64_t end) {
    Scratch<int64_t> pivots(n);
    for (int64_t i = begin; i < end; ++i)
      if (library::gesv<T>(n, sides, matrix<T>(a, i), n, pivots.data(), matrix<T>(b, i), n) != 0) singular = true;
  });
  if (singular) fail("Singular matrix");
}

void run_solve(const Types& types, const Array& a, const Array& b, int64_t count) {
  if (b.size() == 0) return;
  types.is_complex() ? run_solve<Complex>(a, b, count) : run_solve<double>(a, b, count);
}

// NumPy's product of complex numbers, without the library's search for infinities.
Complex times(Complex x, Complex y) {
  return {x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real()};
}

void fold_diagonal(double element, double& sign, double& logarithm) {
  if (element < 0) {
    sign = -sign;
    element = -element;
  }
  logarithm += std::log(element);
}

void fold_diagonal(Complex element, Complex& sign, double& logarithm) {
  double magnitude = std::hypot(element.real(), element.imag());
  sign = times(sign, {element.real() / magnitude, element.imag() / magnitude});
  logarithm += std::log(magnitude);
}

// Sign and logarithm of the determinant from the LU factors; 0 and -inf for a matrix that LAPACK finds singular.
template <class T>
void run_slogdet(const Array& a, T* signs, double* logarithms, int64_t count) {
  int64_t n = rows_of(a.view());
  for_stack(count, n * n * n, [&](int64_t begin, int64_t end) {
    Scratch<int64_t> pivots(n);
    for (int64_t i = begin; i < end; ++i) {
      T* factors = matrix<T>(a, i);
      if (library::getrf<T>(n, n, factors, std::max<int64_t>(1, n), pivots.data()) != 0) {
        signs[i] = T(0);
        logarithms[i] = -std::numeric_limits<double>::infinity();
        continue;
      }
      int64_t swaps = 0;
      for (int64_t k = 0; k < n; ++k) swaps += pivots.data()[k] != k + 1;
      T sign = swaps % 2 ? T(-1) : T(1);
      double logarithm = 0;
      for (int64_t k = 0; k < n; ++k) fold_diagonal(factors[k * (n + 1)], sign, logarithm);
      signs[i] = sign;
      logarithms[i] = logarithm;
    }
  });
}

struct Factored {
  Types types;
  Array signs, logarithms;
};

Factored factor(const View& a, const char* operation) {
  trace::NativeCall call;
  check_square(a);
  check_library(operation);
  Factored result{common_types({a.dtype}), {}, {}};
  Dims stack = stack_of(a);
  result.signs = Array::empty(stack, result.types.computed);
  result.logarithms = Array::empty(stack, DType::kFloat64);
  Array matrices = to_column_major(a, result.types.computed);
  auto* logarithms = reinterpret_cast<double*>(result.logarithms.data());
  if (result.types.is_complex())
    run_slogdet(matrices, reinterpret_cast<Complex*>(result.signs.data()), logarithms, count_of(stack));
  else
    run_slogdet(matrices, reinterpret_cast<double*>(result.signs.data()), logarithms, count_of(stack));
  call.count(a.nbytes() + result.signs.nbytes() + result.logarithms.nbytes());
  return result;
}

Array converted(const Array& array, DType dtype) { return array.dtype() == dtype ? array : to_result(array, dtype); }

}  // namespace

Array solve(const View& a, const View& b) {
  trace::NativeCall call;
  check_square(a);
  check_library("solve");
  Types types = common_types({a.dtype, b.dtype});
  bool vector = b.ndim() == 1;
  if (b.ndim() == 0)
    throw UserError(ErrorKind::kValue,
                    "solve: Input operand 1 does not have enough dimensions (has 0, gufunc core with signature "
                    "(m,m),(m,n)->(m,n) requires 2)");
  View sides = b;
  if (vector) {
    sides.shape.push_back(1);
    sides.strides.push_back(0);
  }
  if (rows_of(sides) != rows_of(a))
    throw UserError(
        ErrorKind::kValue,
        std::string(vector
                        ? "solve1: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature (m,m),(m)->(m)"
                        : "solve: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature "
                          "(m,m),(m,n)->(m,n)") +
            " (size " + std::to_string(rows_of(sides)) + " is different from " + std::to_string(rows_of(a)) + ")");
  Dims stack = broadcast_shapes(stack_of(a), stack_of(sides));
  Array matrices = to_column_major(broadcast_to(a, joined(stack, {rows_of(a), columns_of(a)})), types.computed);
  Array unknowns = to_column_major(broadcast_to(sides, joined(stack, {rows_of(sides), columns_of(sides)})), types.computed);
  run_solve(types, matrices, unknowns, count_of(stack));
  Array result = to_result(unknowns, types.result);
  call.count(a.nbytes() + b.nbytes() + result.nbytes());
  return vector ? result.reshape(joined(stack, {rows_of(a)})) : result;
}

Array inv(const View& a) {
  trace::NativeCall call;
  check_square(a);
  check_library("inv");
  Types types = common_types({a.dtype});
  Array matrices = to_column_major(a, types.computed);
  int64_t n = rows_of(a), count = count_of(stack_of(a));
  Array unknowns = column_major(stack_of(a), n, n, types.computed);
  make_identity(unknowns);
  run_solve(types, matrices, unknowns, count);
  call.count(2 * a.nbytes());
  return to_result(unknowns, types.result);
}

SlogdetResult slogdet(const View& a) {
  Factored factored = factor(a, "slogdet");
  return {converted(factored.signs, factored.types.result), converted(factored.logarithms, factored.types.real_result())};
}

Array det(const View& a) {
  Factored factored = factor(a, "det");
  const auto* logarithms = reinterpret_cast<const double*>(factored.logarithms.data());
  for (int64_t i = 0; i < factored.signs.size(); ++i) {
    if (factored.types.is_complex()) {
      auto* sign = reinterpret_cast<Complex*>(factored.signs.data()) + i;
      *sign = times(*sign, {std::exp(logarithms[i]), 0.0});
    } else {
      reinterpret_cast<double*>(factored.signs.data())[i] *= std::exp(logarithms[i]);
    }
  }
  return converted(factored.signs, factored.types.result);
}

}  // namespace manycore::evaluate
