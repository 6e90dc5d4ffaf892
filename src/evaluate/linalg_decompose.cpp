#include <algorithm>
#include <atomic>

#include "evaluate/linalg.h"
#include "evaluate/linalg_stack.h"
#include "trace/counters.h"

namespace manycore::evaluate {
namespace {

using namespace linalg;
using library::Real;

using Complex = std::complex<double>;

template <class T>
int64_t asked_size(const T& answer) {
  return static_cast<int64_t>(std::real(answer));
}

// Every matrix's info, or-ed: the stack fails as a whole.
class Failures {
 public:
  void add(int64_t info) {
    if (info != 0) failed_.store(true, std::memory_order_relaxed);
  }
  void check(const char* words) const {
    if (failed_.load(std::memory_order_relaxed)) fail(words);
  }

 private:
  std::atomic<bool> failed_{false};
};

// ---- singular values

template <class T>
void run_svd(char job, const Array& a, const Array& u, const Array& s, const Array& vt, int64_t count) {
  int64_t m = rows_of(a.view()), n = columns_of(a.view()), least = std::min(m, n), most = std::max(m, n);
  int64_t ldu = std::max<int64_t>(1, m);
  int64_t ldvt = std::max<int64_t>(1, job == 'A' ? n : job == 'S' ? least : 1);
  int64_t real_size =
      job == 'N' ? 7 * least : std::max(5 * least * least + 5 * least, 2 * most * least + 2 * least * least + least);
  Failures failures;
  for_stack(count, m * n * least, [&](int64_t begin, int64_t end) {
    Scratch<Real<T>> real_work(std::is_same_v<T, double> ? 0 : real_size);
    Scratch<int64_t> integer_work(8 * least);
    T answer{};
    library::gesdd<T>(job, m, n, nullptr, ldu, nullptr, nullptr, ldu, nullptr, ldvt, &answer, -1, real_work.data(),
                      integer_work.data());
    int64_t work_size = std::max<int64_t>(1, asked_size(answer));
    Scratch<T> work(work_size);
    for (int64_t i = begin; i < end; ++i) {
      failures.add(library::gesdd<T>(job, m, n, matrix<T>(a, i), ldu, reinterpret_cast<Real<T>*>(s.data()) + i * least,
                                     job == 'N' ? nullptr : matrix<T>(u, i), ldu, job == 'N' ? nullptr : matrix<T>(vt, i), ldvt,
                                     work.data(), work_size, real_work.data(), integer_work.data()));
    }
  });
  failures.check("SVD did not converge");
}

// ---- eigenvalues

template <class T>
void run_eigh(char job, char triangle, const Array& a, const Array& values, int64_t count) {
  int64_t n = rows_of(a.view());
  Failures failures;
  for_stack(count, n * n * n, [&](int64_t begin, int64_t end) {
    T answer{};
    Real<T> real_answer{};
    int64_t integer_size = 0;
    library::syevd<T>(job, triangle, n, nullptr, n, nullptr, &answer, -1, &real_answer, -1, &integer_size, -1);
    int64_t work_size = asked_size(answer), real_size = asked_size(real_answer);
    Scratch<T> work(work_size);
    Scratch<Real<T>> real_work(real_size);
    Scratch<int64_t> integer_work(integer_size);
    for (int64_t i = begin; i < end; ++i)
      failures.add(library::syevd<T>(job, triangle, n, matrix<T>(a, i), n, reinterpret_cast<Real<T>*>(values.data()) + i * n,
                                     work.data(), work_size, real_work.data(), real_size, integer_work.data(), integer_size));
  });
  failures.check("Eigenvalues did not converge");
}

// ---- triangles

// Zeros on one side of the diagonal.
template <class T>
void clear_triangle(T* a, int64_t rows, int64_t columns, bool above) {
  for (int64_t j = 0; j < columns; ++j) {
    int64_t begin = above ? 0 : std::min(rows, j + 1);
    int64_t end = above ? std::min(rows, j) : rows;
    std::fill(a + j * rows + begin, a + j * rows + end, T(0));
  }
}

template <class T>
void run_cholesky(const Array& a, bool upper, int64_t count) {
  int64_t n = rows_of(a.view());
  Failures failures;
  for_stack(count, n * n * n, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      failures.add(library::potrf<T>(upper ? 'U' : 'L', n, matrix<T>(a, i), n));
      clear_triangle(matrix<T>(a, i), n, n, !upper);
    }
  });
  failures.check("Matrix is not positive definite");
}

// a becomes the reflectors below the diagonal and r above; q gets its first columns and is multiplied out.
template <class T>
void run_qr(const Array& a, const Array* q, int64_t count) {
  int64_t m = rows_of(a.view()), n = columns_of(a.view()), least = std::min(m, n);
  Failures failures;
  for_stack(count, m * n * least, [&](int64_t begin, int64_t end) {
    Scratch<T> tau(least);
    T answer{};
    library::geqrf<T>(m, n, nullptr, m, tau.data(), &answer, -1);
    int64_t work_size = std::max({int64_t{1}, n, asked_size(answer)});
    int64_t wide = q ? columns_of(q->view()) : 0;
    int64_t q_work_size = 1;
    if (q) {
      library::orgqr<T>(m, wide, least, nullptr, m, tau.data(), &answer, -1);
      q_work_size = std::max({int64_t{1}, n, asked_size(answer)});
    }
    Scratch<T> work(std::max(work_size, q_work_size));
    for (int64_t i = begin; i < end; ++i) {
      std::fill_n(tau.data(), least, T(0));
      failures.add(library::geqrf<T>(m, n, matrix<T>(a, i), m, tau.data(), work.data(), work_size));
      if (!q) continue;
      std::copy_n(matrix<T>(a, i), m * std::min(n, wide), matrix<T>(*q, i));
      failures.add(library::orgqr<T>(m, wide, least, matrix<T>(*q, i), m, tau.data(), work.data(), q_work_size));
    }
  });
  failures.check("Incorrect argument found while performing QR factorization");
}

}  // namespace

SvdResult svd(const View& a, bool full_matrices, bool compute_vectors) {
  trace::NativeCall call;
  check_matrices(a);
  check_library("svd");
  Types types = common_types({a.dtype});
  Dims stack = stack_of(a);
  int64_t m = rows_of(a), n = columns_of(a), least = std::min(m, n), count = count_of(stack);
  Array matrices = to_column_major(a, types.computed);
  Array s = Array::empty(joined(stack, {least}), DType::kFloat64), u, vt;
  if (compute_vectors) {
    u = column_major(stack, m, full_matrices ? m : least, types.computed);
    vt = column_major(stack, full_matrices ? n : least, n, types.computed);
  }
  char job = !compute_vectors ? 'N' : full_matrices ? 'A' : 'S';
  if (least > 0 && count > 0) {
    types.is_complex() ? run_svd<Complex>(job, matrices, u, s, vt, count) : run_svd<double>(job, matrices, u, s, vt, count);
  } else if (job == 'A') {
    // LAPACK leaves the side untouched whose partner is empty.
    for (const Array* side : {&u, &vt})
      if (side->size() > 0) make_identity(*side);
  }
  matrices = {};  // LAPACK has used it up; its memory serves the result
  SvdResult result;
  result.s = s.dtype() == types.real_result() ? s : to_result(s, types.real_result());
  if (compute_vectors) {
    result.u = to_result(u, types.result);
    result.vh = to_result(vt, types.result);
  }
  call.count(a.nbytes() + result.s.nbytes() + (compute_vectors ? result.u.nbytes() + result.vh.nbytes() : 0));
  return result;
}

EighResult eigh(const View& a, bool upper, bool compute_vectors) {
  trace::NativeCall call;
  check_square(a);
  check_library("eigh");
  Types types = common_types({a.dtype});
  Dims stack = stack_of(a);
  Array matrices = to_column_major(a, types.computed);
  Array values = Array::empty(joined(stack, {rows_of(a)}), DType::kFloat64);
  char job = compute_vectors ? 'V' : 'N', triangle = upper ? 'U' : 'L';
  if (values.size() > 0) {
    int64_t count = count_of(stack);
    types.is_complex() ? run_eigh<Complex>(job, triangle, matrices, values, count)
                       : run_eigh<double>(job, triangle, matrices, values, count);
  }
  EighResult result;
  result.values = values.dtype() == types.real_result() ? values : to_result(values, types.real_result());
  if (compute_vectors) result.vectors = to_result(matrices, types.result);
  call.count((compute_vectors ? 2 : 1) * a.nbytes() + result.values.nbytes());
  return result;
}

Array cholesky(const View& a, bool upper) {
  trace::NativeCall call;
  check_square(a);
  check_library("cholesky");
  Types types = common_types({a.dtype});
  Array matrices = to_column_major(a, types.computed);
  if (matrices.size() > 0) {
    int64_t count = count_of(stack_of(a));
    types.is_complex() ? run_cholesky<Complex>(matrices, upper, count) : run_cholesky<double>(matrices, upper, count);
  }
  call.count(2 * a.nbytes());
  return to_result(matrices, types.result);
}

QrResult qr(const View& a, QrMode mode) {
  trace::NativeCall call;
  check_matrices(a);
  check_library("qr");
  Types types = common_types({a.dtype});
  Dims stack = stack_of(a);
  int64_t m = rows_of(a), n = columns_of(a), least = std::min(m, n), count = count_of(stack);
  int64_t wide = mode == QrMode::kComplete && m > n ? m : least;
  Array matrices = to_column_major(a, types.computed), q;
  if (mode != QrMode::kR) q = column_major(stack, m, wide, types.computed);
  const Array* wanted = mode != QrMode::kR ? &q : nullptr;
  if (least > 0 && count > 0)
    types.is_complex() ? run_qr<Complex>(matrices, wanted, count) : run_qr<double>(matrices, wanted, count);
  else if (wanted && q.size() > 0)
    make_identity(q);
  for (int64_t i = 0; i < count; ++i)
    types.is_complex() ? clear_triangle(matrix<Complex>(matrices, i), m, n, false)
                       : clear_triangle(matrix<double>(matrices, i), m, n, false);
  QrResult result;
  int64_t r_rows = mode == QrMode::kR ? least : wide;
  result.r = to_result(matrices.with_view(slice(matrices.view(), matrices.ndim() - 2, 0, r_rows, 1)), types.result);
  if (wanted) result.q = to_result(q, types.result);
  call.count(a.nbytes() + result.r.nbytes() + (wanted ? result.q.nbytes() : 0));
  return result;
}

}  // namespace manycore::evaluate
