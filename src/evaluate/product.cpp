#include "evaluate/product.h"

#include <algorithm>
#include <atomic>
#include <complex>
#include <cstdlib>

#include "evaluate/assign.h"
#include "evaluate/status_scope.h"
#include "kernel/matmul.h"
#include "library/blas.h"

namespace manycore::evaluate {
namespace {

using library::Layout;
using library::Transpose;

// NumPy's bound on one BLAS dot: longer vectors are added in pieces.
constexpr int64_t kDotChunk = int64_t{1} << 30;
// Multiplications of the plain loop that are worth another thread (about 20 us).
constexpr int64_t kWorkPerTask = 1 << 17;
// And that pass at most before anybody asks whether to go on (about 10 ms; products of 64-bit integers take ten times as long as others).
constexpr int64_t kMostWorkPerTask = 1 << 28;
constexpr int64_t kMostWorkOfWideItems = 1 << 25;
// The columns of b that a piece needs are laid out for it: the more rows use the layout the better, as long as those of a stay near;
// with fewer than kFewRows it would cost too much.
constexpr int64_t kManyRows = 1024;
constexpr int64_t kFewRows = 32;
// A line of a tile, at most: columns cut at a multiple of it leave tiles whole at every SIMD level.
constexpr int64_t kTileBytes = 128;

// y = a @ x
template <class T>
void call_gemv(const Matrix& a, const std::byte* x, int64_t x_step, std::byte* y, int64_t y_step) {
  bool by_column = a.rows_fit();
  library::gemv<T>(by_column ? Layout::kColumnMajor : Layout::kRowMajor, Transpose::kYes, a.columns, a.rows, a.as<T>(),
                   a.leading(), reinterpret_cast<const T*>(x), x_step / a.size, reinterpret_cast<T*>(y), y_step / a.size);
}

// All three can be taken by BLAS; c by rows. The elements lie at the addresses given, as those of the matrices do.
template <class T>
void call_gemm(const Matrix& a, const Matrix& b, const Matrix& c, const std::byte* a_data, const std::byte* b_data,
               std::byte* c_data) {
  const T *left = reinterpret_cast<const T*>(a_data), *right = reinterpret_cast<const T*>(b_data);
  T* to = reinterpret_cast<T*>(c_data);
  Transpose a_side = a.rows_fit() ? Transpose::kNo : Transpose::kYes;
  Transpose b_side = b.rows_fit() ? Transpose::kNo : Transpose::kYes;
  bool own_transpose =
      left == right && a.rows == b.columns && a.row_step == b.column_step && a.column_step == b.row_step && a_side != b_side;
  if (own_transpose) {
    library::syrk<T>(Layout::kRowMajor, a_side, b.columns, a.columns, left, a_side == Transpose::kNo ? a.leading() : b.leading(),
                     to, c.row_distance);
    mirror_upper_triangle(to, b.columns, c.row_distance);
  } else {
    library::gemm<T>(Layout::kRowMajor, a_side, b_side, a.rows, b.columns, a.columns, left, a.leading(), right, b.leading(), to,
                     c.row_distance);
  }
}
template <class T>
void call_gemm(const Matrix& a, const Matrix& b, const Matrix& c) {
  call_gemm<T>(a, b, c, a.data, b.data, c.data);
}

bool is_by_column(const Matrix& c) { return std::abs(c.row_step) < std::abs(c.column_step); }

// A copy that BLAS takes, in the order in which the original is closer to contiguous.
Array blasable_copy(const Matrix& matrix, DType dtype) {
  bool by_column = std::abs(matrix.row_step) < std::abs(matrix.column_step);
  return copy(matrix.view(dtype), by_column ? CopyOrder::kF : CopyOrder::kC);
}

template <class T>
void call_gemm_on_copies(Matrix a, Matrix b, Matrix c, DType dtype) {
  Array held_a, held_b, held_c;
  View target = c.view(dtype);
  if (!a.fits()) a = Matrix((held_a = blasable_copy(a, dtype)).view());
  if (!b.fits()) b = Matrix((held_b = blasable_copy(b, dtype)).view());
  bool by_column = is_by_column(c);
  if (!c.fits()) c = Matrix((held_c = Array::empty(target.shape, dtype, by_column ? Order::kF : Order::kC)).view());
  if (by_column)
    call_gemm<T>(b.transposed(), a.transposed(), c.transposed());
  else
    call_gemm<T>(a, b, c);
  if (held_c.buffer()) assign(target, held_c.view());
}

bool is_blas_type(DType dtype) { return is_inexact(dtype) && dtype != DType::kFloat16; }

template <class T>
struct Real {
  using Type = T;
};
template <class R>
struct Real<std::complex<R>> {
  using Type = R;
};

// BLAS in chunks, added in double: what NumPy does "for stability".
template <class T>
bool dot_with_blas(const std::byte* x, int64_t x_step, const std::byte* y, int64_t y_step, std::byte* c, int64_t count) {
  constexpr int64_t kSize = sizeof(T);
  auto usable = [](int64_t step) { return step > 0 && step % kSize == 0 && step / kSize <= library::max_extent(); };
  if (!library::has_blas() || !usable(x_step) || !usable(y_step)) return false;
  using Wide = std::conditional_t<std::is_same_v<T, typename Real<T>::Type>, double, std::complex<double>>;
  Wide sum(0);
  for (int64_t rest = count; rest > 0; rest -= kDotChunk) {
    int64_t chunk = std::min(rest, kDotChunk);
    sum += Wide(
        library::dot<T>(chunk, reinterpret_cast<const T*>(x), x_step / kSize, reinterpret_cast<const T*>(y), y_step / kSize));
    x += chunk * x_step;
    y += chunk * y_step;
  }
  *reinterpret_cast<T*>(c) = T(sum);
  return true;
}

kernel::MatrixProduct plain(const Matrix& a, const Matrix& b, const Matrix& c) {
  return {a.data, a.row_step, a.column_step, b.data, b.row_step, b.column_step,
          c.data, c.row_step, c.column_step, a.rows, a.columns,  b.columns};
}

// A product cut into pieces of some rows and columns, numbered along the rows of c.
struct Pieces {
  int64_t rows, columns;
  int64_t across, count;

  Pieces(const kernel::MatrixProduct& all, int64_t item) {
    const int64_t width = kTileBytes / item, inner = std::max<int64_t>(1, all.inner);
    const double total = static_cast<double>(all.rows) * static_cast<double>(all.columns) * static_cast<double>(inner);
    const auto most = static_cast<double>(item < 8 ? kMostWorkPerTask : kMostWorkOfWideItems);
    const auto work = static_cast<int64_t>(std::clamp<double>(total / (4 * sched::thread_count()), kWorkPerTask, most));
    columns = std::max(work / std::min(all.rows, kManyRows) / inner, width);
    across = (all.columns - 1) / columns + 1;
    columns = std::min(((all.columns - 1) / across / width + 1) * width, all.columns);
    across = (all.columns - 1) / columns + 1;
    rows = std::min(std::max(work / columns / inner, columns < width ? width : kFewRows), all.rows);
    const int64_t down = (all.rows - 1) / rows + 1;
    rows = std::min(((all.rows - 1) / down / 4 + 1) * 4, all.rows);
    count = across * ((all.rows - 1) / rows + 1);
  }
  kernel::MatrixProduct at(const kernel::MatrixProduct& all, int64_t index) const {
    const int64_t row = index / across * rows, column = index % across * columns;
    kernel::MatrixProduct part = all;
    part.rows = std::min(rows, all.rows - row);
    part.columns = std::min(columns, all.columns - column);
    part.a += row * all.a_row;
    part.b += column * all.b_column;
    part.c += row * all.c_row + column * all.c_column;
    return part;
  }
};

}  // namespace

Matrix::Matrix(const View& view)
    : data(view.data),
      rows(view.shape[0]),
      columns(view.shape[1]),
      row_step(view.strides[0]),
      column_step(view.strides[1]),
      size(item_size(view.dtype)),
      row_distance(row_step / size),
      column_distance(column_step / size),
      has_rows(lines_fit(row_step, column_step, columns)),
      has_columns(lines_fit(column_step, row_step, rows)) {}

// Lines apart by whole elements, at least as far as they are long, elements side by side.
bool Matrix::lines_fit(int64_t line_step, int64_t element_step, int64_t length) const {
  return element_step == size && line_step % size == 0 && line_step / size >= length && line_step / size <= library::max_extent();
}

Matrix Matrix::transposed() const {
  Matrix other = *this;
  std::swap(other.rows, other.columns);
  std::swap(other.row_step, other.column_step);
  std::swap(other.row_distance, other.column_distance);
  std::swap(other.has_rows, other.has_columns);
  return other;
}

View Matrix::view(DType dtype) const { return {data, dtype, {rows, columns}, {row_step, column_step}}; }

// NumPy's choice, in its order.
Multiplication::Multiplication(const View& a, const View& b, const View& c) : a_(a), b_(b), c_(c), dtype_(c.dtype) {
  int64_t rows = a_.rows, inner = a_.columns, columns = b_.columns, size = a_.size;
  int64_t most = library::has_blas() ? library::max_extent() : 0;
  routine_ = Routine::kPlain;
  if (!is_blas_type(dtype_) || rows == 0 || inner == 0 || columns == 0 || rows > most || inner > most || columns > most) return;
  auto vector_fits = [&](int64_t step) { return b_.lines_fit(step, size, 1); };
  bool scalar_times_vector = inner == 1 && (rows == 1 || columns == 1);
  if (rows != 1 && inner != 1 && columns != 1)
    choose_gemm();
  else if (rows == 1 && columns == 1)
    routine_ = Routine::kDot;
  else if (!scalar_times_vector && rows == 1 && b_.fits() && vector_fits(a_.column_step))
    routine_ = Routine::kVectorMatrix;
  else if (!scalar_times_vector && columns == 1 && a_.fits() && vector_fits(b_.row_step))
    routine_ = Routine::kMatrixVector;
}

// BLAS writes rows: where c is dense along columns, c^T = b^T @ a^T is what runs.
void Multiplication::choose_gemm() {
  routine_ = Routine::kGemmOnCopies;
  if (!a_.fits() || !b_.fits() || !c_.fits()) return;
  routine_ = Routine::kGemm;
  flipped_ = is_by_column(c_);
  if (!flipped_) return;
  const Matrix left = b_.transposed();
  b_ = a_.transposed();
  a_ = left;
  c_ = c_.transposed();
}

void Multiplication::run_gemm(const std::byte* a, const std::byte* b, std::byte* c) const {
  if (dtype_ == DType::kFloat64) return call_gemm<double>(a_, b_, c_, a, b, c);
  if (dtype_ == DType::kFloat32) return call_gemm<float>(a_, b_, c_, a, b, c);
  if (dtype_ == DType::kComplex64) return call_gemm<std::complex<float>>(a_, b_, c_, a, b, c);
  call_gemm<std::complex<double>>(a_, b_, c_, a, b, c);
}

template <class T>
void Multiplication::run_blas(const Matrix& a, const Matrix& b, const Matrix& c) const {
  switch (routine_) {
    case Routine::kGemmOnCopies:
      return call_gemm_on_copies<T>(a, b, c, dtype_);
    case Routine::kVectorMatrix:
      return call_gemv<T>(b.transposed(), a.data, a.column_step, c.data, c.column_step);
    case Routine::kMatrixVector:
      return call_gemv<T>(a, b.data, b.row_step, c.data, c.row_step);
    case Routine::kGemm:
    case Routine::kDot:
    case Routine::kPlain:
      return;
  }
}

void Multiplication::run(std::byte* a_data, std::byte* b_data, std::byte* c_data) const {
  if (routine_ == Routine::kGemm) return flipped_ ? run_gemm(b_data, a_data, c_data) : run_gemm(a_data, b_data, c_data);
  Matrix a = a_.at(a_data), b = b_.at(b_data), c = c_.at(c_data);
  if (routine_ == Routine::kPlain) return kernel::matmul(dtype_, plain(a, b, c));
  if (routine_ == Routine::kDot) return multiply_vectors(dtype_, a.data, a.column_step, b.data, b.row_step, c.data, a.columns);
  if (dtype_ == DType::kFloat32) return run_blas<float>(a, b, c);
  if (dtype_ == DType::kFloat64) return run_blas<double>(a, b, c);
  if (dtype_ == DType::kComplex64) return run_blas<std::complex<float>>(a, b, c);
  run_blas<std::complex<double>>(a, b, c);
}

// The plain loop on all cores; BLAS has threads of its own.
void Multiplication::run_parallel(unsigned* status, sched::Interrupts interrupts) const {
  if (routine_ != Routine::kPlain) {
    StatusScope scope(status);
    return routine_ == Routine::kGemm ? run_gemm(a_.data, b_.data, c_.data) : run(a_.data, b_.data, c_.data);
  }
  const kernel::MatrixProduct all = plain(a_, b_, c_);
  if (all.rows == 0 || all.columns == 0) return;
  const Pieces pieces(all, c_.size);
  std::atomic<unsigned> met{0};
  sched::parallel_for(
      pieces.count, 1,
      [&](int64_t begin, int64_t end) {
        unsigned here = 0;
        {
          StatusScope scope(status ? &here : nullptr);
          for (int64_t i = begin; i < end; ++i) kernel::matmul(dtype_, pieces.at(all, i));
        }
        if (here) met.fetch_or(here, std::memory_order_relaxed);
      },
      interrupts);
  if (status) *status |= met.load(std::memory_order_relaxed);
}

void multiply_vectors(DType dtype, const std::byte* x, int64_t x_step, const std::byte* y, int64_t y_step, std::byte* c,
                      int64_t count) {
  bool done = false;
  if (dtype == DType::kFloat32) done = dot_with_blas<float>(x, x_step, y, y_step, c, count);
  if (dtype == DType::kFloat64) done = dot_with_blas<double>(x, x_step, y, y_step, c, count);
  if (dtype == DType::kComplex64) done = dot_with_blas<std::complex<float>>(x, x_step, y, y_step, c, count);
  if (dtype == DType::kComplex128) done = dot_with_blas<std::complex<double>>(x, x_step, y, y_step, c, count);
  if (!done) kernel::matmul(dtype, {x, 0, x_step, y, y_step, 0, c, 0, 0, 1, count, 1});
}

}  // namespace manycore::evaluate
